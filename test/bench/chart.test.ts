import { expect, it } from 'vitest';
import { barChart } from '../../bench/chart.ts';

const chart = {
  title: 'A & B',
  subtitle: 'ns, less is better',
  groups: [
    {
      title: 'small',
      bars: [
        { label: 'ours', value: 10, isAccented: true },
        { label: '<other>', value: 40, note: '4 x' },
      ],
    },
    { title: 'large', bars: [{ label: 'ours', value: 20, isAccented: true }] },
  ],
};

const widths = (svg: string): number[] =>
  [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));

it('draws bars to one scale, or to one of each group', () => {
  const [ten, forty, twenty] = widths(barChart(chart));
  expect(ten).toBeCloseTo((forty ?? 0) / 4, 0);
  expect(twenty).toBeCloseTo((forty ?? 0) / 2, 0);
  const own = widths(barChart({ ...chart, ownScales: true }));
  expect(own[2]).toBe(own[1]);
});

it('is XML whatever the labels say, and has colours for dark pages', () => {
  const svg = barChart(chart);
  expect(svg).toContain('&#60;other&#62;');
  expect(svg).toContain('A &#38; B');
  expect(svg).toContain('prefers-color-scheme:dark');
  expect(svg.match(/<text/g)).toHaveLength(svg.match(/<\/text>/g)?.length ?? 0);
  expect(svg).toContain('40 4 x');
});
