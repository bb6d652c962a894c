/** As in package.json, where a test holds it to that; sent to brokers as the client's version (KIP-511). */
export const VERSION = '0.1.0';
