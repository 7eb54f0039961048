// The two messages of a DNS probe (RFC 1035 section 4): a question for an address, and what answers it.

import { Buffer } from "node:buffer";

const HEADER = 12;
const RECURSION_DESIRED = 0x0100;
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const RCODE = 0x000f;
const TYPE_A = 1;
const CLASS_IN = 1;
const LONGEST_LABEL = 63;
const LONGEST_NAME = 255;

/** RFC 1035 section 4.1.1, RFC 6895 section 2.3. */
const RCODES: Readonly<Record<number, string>> = {
	1: "FORMERR",
	2: "SERVFAIL",
	4: "NOTIMP",
	5: "REFUSED",
};
const NOERROR = 0;
const NXDOMAIN = 3;

/** Labels with their lengths; a dot at the end makes no difference, "" and "." are the root. */
function encodeName(name: string): Buffer {
	const labels = name.replace(/\.$/, "").split(".");
	const parts = name === "" || name === "." ? [] : labels.map((label) => Buffer.from(label, "utf8"));
	for (const part of parts)
		if (part.length === 0 || part.length > LONGEST_LABEL)
			throw new RangeError(`Cannot ask for ${name}: a label has 1 to ${LONGEST_LABEL} bytes`);
	const encoded = Buffer.concat([...parts.flatMap((part) => [Buffer.of(part.length), part]), Buffer.of(0)]);
	if (encoded.length > LONGEST_NAME) throw new RangeError(`Cannot ask for ${name}: a name has ${LONGEST_NAME} bytes`);
	return encoded;
}

/** A question for the IPv4 addresses of a name, which any server answers in one way or another. Throws RangeError for what is no name. */
export function encodeQuestion(id: number, name: string): Buffer {
	const header = Buffer.alloc(HEADER);
	header.writeUInt16BE(id, 0);
	header.writeUInt16BE(RECURSION_DESIRED, 2);
	header.writeUInt16BE(1, 4);
	const tail = Buffer.alloc(4);
	tail.writeUInt16BE(TYPE_A, 0);
	tail.writeUInt16BE(CLASS_IN, 2);
	return Buffer.concat([header, encodeName(name), tail]);
}

/** Whether the message repeats the question: servers may change the case of names. */
function hasQuestion(message: Buffer, question: Buffer): boolean {
	const asked = question.subarray(HEADER).toString("latin1").toLowerCase();
	return message.subarray(HEADER, question.length).toString("latin1").toLowerCase() === asked;
}

/**
 * What a message says to a question: `well` for an answer, or that there is no such name; the name of the error; undefined
 * if it does not answer that question at all. Servers that could not read a question leave it out.
 */
export function readAnswer(bytes: Uint8Array, question: Buffer): "well" | string | undefined {
	const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (message.length < HEADER || message.readUInt16BE(0) !== question.readUInt16BE(0)) return undefined;
	const flags = message.readUInt16BE(2);
	if ((flags & RESPONSE) === 0 || (flags & OPCODE) !== 0) return undefined;
	const questions = message.readUInt16BE(4);
	const code = flags & RCODE;
	const isWell = code === NOERROR || code === NXDOMAIN;
	if (questions === 0 ? isWell : questions !== 1 || !hasQuestion(message, question)) return undefined;
	return isWell ? "well" : (RCODES[code] ?? `RCODE ${code}`);
}
