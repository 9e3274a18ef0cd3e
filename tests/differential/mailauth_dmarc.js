// DMARC verdicts of npm's mailauth for zones that a test made up: a JSON line in, a JSON line out.
'use strict';

const { dmarc } = require('mailauth/lib/dmarc');
const lines = require('readline').createInterface({ input: process.stdin });

const answers = row => async (name, type) => {
    const missing = code => Object.assign(new Error(code), { code });
    const records = type === 'TXT' ? row.txt[name] : row.exist.includes(name) && type === 'A' ? ['192.0.2.1'] : undefined;
    if (records && records.length) {
        return type === 'TXT' ? records.map(text => [text]) : records;
    }
    const known = [...row.exist, ...Object.keys(row.txt)].some(one => one === name || one.endsWith('.' + name));
    throw missing(known ? 'ENODATA' : 'ENOTFOUND');
};

(async () => {
    for await (const line of lines) {
        const row = JSON.parse(line);
        const found = await dmarc({
            headerFrom: [`kim@${row.domain}`],
            spfDomains: row.spf ? [{ domain: row.spf }] : [],
            dkimDomains: row.dkim ? [{ domain: row.dkim }] : [],
            resolver: answers(row),
            strict: true
        });
        console.log(JSON.stringify({ result: found.status.result, policy: found.policy || null }));
    }
})();
