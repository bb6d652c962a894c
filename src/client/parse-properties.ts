import { ConfigError } from '../errors.ts';

/**
 * The text of a Java `.properties` file → its names and values, for `configFromProperties`. As `java.util.Properties.load` reads
 * it: `#` and `!` begin comments, `=`, `:` or white space ends a name, a `\` at a line's end goes on on the next line, and
 * `\t \n \r \f \uXXXX` are escapes. A name that comes twice has its last value.
 *
 * @throws ConfigError that names the line, for an escape `\u` without four hexadecimal digits
 */
export function parseProperties(text: string): Record<string, string> {
  const properties: Record<string, string> = Object.create(null) as Record<string, string>; // a name may be `__proto__`
  for (const { text: line, number } of logicalLines(text)) {
    // The name ends at the first separator that no backslash precedes; a backslash takes the next character with it.
    const [, name = '', value = ''] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/su.exec(line) ?? [];
    properties[unescape(name, number)] = unescape(value, number);
  }
  return { ...properties };
}

/** Lines without comments and leading white space, continued ones joined. */
function* logicalLines(text: string): Generator<{ text: string; number: number }> {
  const lines = text.split(/\r\n|\r|\n/);
  for (let i = 0; i < lines.length; i++) {
    const number = i + 1;
    let line = withoutIndent(lines[i]);
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue;
    while (isContinued(line)) {
      line = line.slice(0, -1);
      if (i + 1 >= lines.length) break;
      line += withoutIndent(lines[++i]);
    }
    yield { text: line, number };
  }
}

function withoutIndent(line = ''): string {
  return line.replace(/^[ \t\f]+/, '');
}

/** Ends with an odd number of backslashes: two are one that is escaped. */
function isContinued(line: string): boolean {
  return (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1;
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescape(text: string, line: number): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gsu, (_, hex: string | undefined, letter: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (letter === 'u') throw new ConfigError(`line ${line} of the properties: \\u takes four hexadecimal digits`);
    return ESCAPES[letter ?? ''] ?? letter ?? '';
  });
}
