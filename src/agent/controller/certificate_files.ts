// The webhooks' certificate from a folder, as cert-manager or a Secret's volume has it: read again when it changes.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type KeyPair, readCertificate } from "../../lib/certificate.ts";
import { errorCode } from "../../lib/error_code.ts";

/** tls.crt and tls.key of the folder. Throws Error with the file, the fact and the fix. */
export async function readCertificateFiles(folder: string): Promise<KeyPair> {
	// One after the other: where both are missing, it is always the same that is told of.
	const certificate = await readOne(folder, "tls.crt");
	const key = await readOne(folder, "tls.key");
	const facts = readCertificate(certificate);
	if (facts === undefined) throw new Error(`Cannot use ${join(folder, "tls.crt")}: it is no certificate in PEM`);
	// Also between the two steps of whoever writes one after the other.
	if (!facts.isOf(key)) {
		throw new Error(`Cannot use ${join(folder, "tls.key")}: it is not the key of the certificate in tls.crt`);
	}
	return { certificate, key };
}

async function readOne(folder: string, name: string): Promise<string> {
	const file = join(folder, name);
	try {
		return await readFile(file, "utf8");
	} catch (cause) {
		throw new Error(`Cannot read ${file}: ${errorCode(cause)} (is the certificate's Secret mounted there?)`, { cause });
	}
}
