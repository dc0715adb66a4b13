// An AsyncAPI document judged by the parser of the AsyncAPI initiative: any error refuses it.
const { Parser } = require('@asyncapi/parser');
const fs = require('fs');

async function main() {
  const { document, diagnostics } = await new Parser().parse(fs.readFileSync(process.argv[2], 'utf8'));
  const errors = diagnostics.filter((d) => d.severity === 0);
  for (const d of errors) console.log(`REFUSED: ${d.path.join('.')}: ${d.message}`);
  if (errors.length > 0 || !document) process.exit(1);
  const channels = document.channels().all().map((c) => c.address());
  console.log(`asyncapi ${document.version()}: ${channels.length} channels (${channels.join(', ')}), no error, ` +
    `${diagnostics.length} remarks`);
}

main().catch((e) => { console.log(`REFUSED: ${e.message}`); process.exit(1); });
