// Opens INBOX with imapflow, with QRESYNC from an earlier state if one is given, and prints what the
// server told: {exists, qresync, uidValidity, highestModseq, changed: [uid], vanished: [uid]}.
const { ImapFlow } = require("imapflow");

async function main() {
  const port = Number(process.argv[2]);
  const state = JSON.parse(process.argv[3]);
  const client = new ImapFlow({
    host: "127.0.0.1", port, secure: false, doSTARTTLS: false, logger: false, qresync: true,
    auth: { user: "user1", pass: "pass" },
  });
  const changed = [];
  const vanished = [];
  client.on("flags", (event) => changed.push(event.uid));
  client.on("expunge", (event) => { if (event.vanished) vanished.push(event.uid); });
  await client.connect();
  const options = state.uidValidity
    ? { changedSince: BigInt(state.highestModseq), uidValidity: BigInt(state.uidValidity) }
    : {};
  const box = await client.mailboxOpen("INBOX", options);
  console.log(JSON.stringify({
    exists: box.exists,
    qresync: client.enabled.has("QRESYNC"),
    uidValidity: box.uidValidity.toString(),
    highestModseq: box.highestModseq.toString(),
    changed, vanished,
  }));
  await client.logout();
}

main().catch((error) => { console.error(error); process.exit(1); });
