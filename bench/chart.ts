/** Bar charts as plain SVG: no script, no font of its own, readable on light and on dark pages. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Behind the value, such as a unit or how many times slower. */
  readonly note?: string;
  /** Drawn in the accent colour: ours among others. */
  readonly isAccented?: boolean;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  /** What is shown, in which unit, and which end is the better one. */
  readonly subtitle: string;
  readonly groups: readonly BarGroup[];
  /** Of a value beside its bar. Default: three significant digits. */
  readonly format?: (value: number) => string;
  /** Each group has a scale of its own. Default false: one for all, so that bars compare across groups. */
  readonly ownScales?: boolean;
}

const WIDTH = 760;
const MARGIN = 16;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 150;
const BAR_HEIGHT = 16;
const BAR_STEP = 22;
const GROUP_TITLE_HEIGHT = 30;
const HEAD_HEIGHT = 56;

const STYLE = [
  'text{font:12px system-ui,sans-serif;fill:#24292f}',
  '.title{font-size:15px;font-weight:600}',
  '.group{font-weight:600}',
  '.quiet{fill:#57606a}',
  '.bar{fill:#8c959f}',
  '.accent{fill:#0969da}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.bar{fill:#6e7681}.accent{fill:#4493f8}}',
].join('');

/** One horizontal bar a value, group below group. The background stays the page's own. */
export function barChart(chart: BarChart): string {
  const format = chart.format ?? threeDigits;
  const largest = Math.max(...chart.groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  const lines: string[] = [text(MARGIN, 24, chart.title, 'title'), text(MARGIN, 42, chart.subtitle, 'quiet')];
  let y = HEAD_HEIGHT;
  for (const { title, bars } of chart.groups) {
    lines.push(text(MARGIN, y + 18, title, 'group'));
    y += GROUP_TITLE_HEIGHT;
    const full = chart.ownScales === true ? Math.max(...bars.map(({ value }) => value)) : largest;
    for (const bar of bars) {
      lines.push(...drawn(bar, y, full, format));
      y += BAR_STEP;
    }
  }
  const height = y + MARGIN;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`;
  return `${[head, `<title>${escaped(chart.title)}</title>`, `<style>${STYLE}</style>`, ...lines, '</svg>'].join('\n')}\n`;
}

function drawn(bar: Bar, y: number, full: number, format: (value: number) => string): string[] {
  const room = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH;
  const width = full > 0 ? Math.max(1, (bar.value / full) * room) : 1;
  const x = MARGIN + LABEL_WIDTH;
  const base = y + 12.5;
  const said = bar.note === undefined ? format(bar.value) : `${format(bar.value)} ${bar.note}`;
  return [
    text(x - 8, base, bar.label, '', 'end'),
    `<rect class="${bar.isAccented === true ? 'accent' : 'bar'}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    text(x + width + 6, base, said, 'quiet'),
  ];
}

function text(x: number, y: number, content: string, className: string, anchor = 'start'): string {
  const attributes = `${className === '' ? '' : ` class="${className}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function threeDigits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
