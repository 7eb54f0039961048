// The files that an entry of a kubeconfig points to.

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { errorCode } from "../../lib/error_code.ts";
import { type ConfigEntry, textOf } from "./kubeconfig.ts";

/** Inline data wins over the file, as in client-go. */
export async function fileOrData(entry: ConfigEntry, key: string): Promise<Buffer | undefined> {
	const inline = textOf(entry.fields, `${key}-data`);
	if (inline !== undefined) {
		const text = Buffer.from(inline, "base64");
		if (text.includes("-----BEGIN ")) return text;
		throw new Error(`Cannot use ${key}-data of ${entry.name}: it is no PEM in base64`);
	}
	const file = textOf(entry.fields, key);
	return file === undefined ? undefined : await readNamed(entry, key, file);
}

/** Relative paths start from the kubeconfig's folder. Throws Error that names the field and the entry. */
export async function readNamed({ name, folder }: ConfigEntry, key: string, file: string): Promise<Buffer> {
	const path = isAbsolute(file) ? file : resolve(folder, file);
	try {
		return await readFile(path);
	} catch (cause) {
		throw new Error(`Cannot read ${key} of ${name}, ${path}: ${errorCode(cause)}`, { cause });
	}
}
