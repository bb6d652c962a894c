/** `host:port`, or `[host]:port` for an IPv6 address. */
export function addressOf({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
