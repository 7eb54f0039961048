// X.509 certificates (RFC 5280) of P-256 keys: an authority of our own, and servers that it vouches for.

import { Buffer } from "node:buffer";
import {
	createHash,
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	randomBytes,
	sign,
	X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import {
	addressBytes,
	bitString,
	explicit,
	implicit,
	integer,
	octetString,
	oid,
	sequence,
	setOf,
	time,
	truth,
	utf8String,
} from "./der.ts";

/** PEM. */
export interface KeyPair {
	readonly certificate: string;
	readonly key: string;
}

export interface Validity {
	readonly from: Date;
	readonly until: Date;
}

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const COMMON_NAME = "2.5.4.3";
const SUBJECT_KEY = "2.5.29.14";
const KEY_USAGE = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const AUTHORITY_KEY = "2.5.29.35";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** RFC 5280 section 4.1.2.2: positive, at most 20 bytes. */
const SERIAL_BYTES = 16;
/** A bit string of one byte: keyCertSign and cRLSign, digitalSignature. */
const SIGNS_CERTIFICATES = bitString(Buffer.from([0x06]), 1);
const SIGNS = bitString(Buffer.from([0x80]), 7);

interface Subject {
	readonly name: string;
	/** DER of its SubjectPublicKeyInfo. */
	readonly publicKey: Buffer;
	readonly validity: Validity;
	readonly extensions: readonly Buffer[];
}

/** A certificate that signs itself. */
export function createAuthority(name: string, validity: Validity): KeyPair {
	const { key, publicKey } = newKey();
	const extensions = [
		extension(BASIC_CONSTRAINTS, sequence(truth()), true),
		extension(KEY_USAGE, SIGNS_CERTIFICATES, true),
		extension(SUBJECT_KEY, octetString(keyId(publicKey))),
	];
	return { key, certificate: signed({ name, publicKey, validity, extensions }, { name, key }) };
}

/** For a server with these names and addresses. */
export function createServerPair(
	names: readonly string[],
	validity: Validity,
	authority: KeyPair & { readonly name: string },
): KeyPair {
	const { key, publicKey } = newKey();
	const authorityKey = createPublicKey(authority.key).export({ type: "spki", format: "der" });
	const extensions = [
		extension(BASIC_CONSTRAINTS, sequence(), true),
		extension(KEY_USAGE, SIGNS, true),
		extension(EXTENDED_KEY_USAGE, sequence(oid(SERVER_AUTH))),
		extension(SUBJECT_ALTERNATIVE_NAME, sequence(...names.map(generalName))),
		extension(SUBJECT_KEY, octetString(keyId(publicKey))),
		extension(AUTHORITY_KEY, sequence(implicit(0, keyId(authorityKey)))),
	];
	const name = commonName(names);
	return { key, certificate: signed({ name, publicKey, validity, extensions }, authority) };
}

/** At most 64 characters (ub-common-name); nobody looks at it where there are alternative names. */
function commonName(names: readonly string[]): string {
	return names.find((name) => name.length <= 64) ?? "server";
}

function newKey(): { readonly key: string; readonly publicKey: Buffer } {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	return {
		key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
		publicKey: publicKey.export({ type: "spki", format: "der" }),
	};
}

/** RFC 7093 section 2, method 4. */
function keyId(publicKey: Buffer): Buffer {
	return createHash("sha256").update(publicKey).digest().subarray(0, 20);
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
	return sequence(oid(id), ...(isCritical ? [truth()] : []), octetString(value));
}

function generalName(name: string): Buffer {
	return isIP(name) === 0 ? implicit(2, Buffer.from(name, "latin1")) : implicit(7, addressBytes(name));
}

function distinguishedName(name: string): Buffer {
	return sequence(setOf(sequence(oid(COMMON_NAME), utf8String(name))));
}

function signed(subject: Subject, issuer: { readonly name: string; readonly key: string }): string {
	const { from, until } = subject.validity;
	const body = sequence(
		explicit(0, integer(Buffer.from([2]))),
		integer(randomBytes(SERIAL_BYTES)),
		ECDSA_WITH_SHA256,
		distinguishedName(issuer.name),
		sequence(time(from), time(until)),
		distinguishedName(subject.name),
		subject.publicKey,
		explicit(3, sequence(...subject.extensions)),
	);
	const signature = sign("sha256", body, createPrivateKey(issuer.key));
	return pem("CERTIFICATE", sequence(body, ECDSA_WITH_SHA256, bitString(signature)));
}

function pem(label: string, content: Buffer): string {
	const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
	return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** What is looked at of a certificate. */
export interface CertificateFacts {
	readonly validity: Validity;
	/** DNS names and addresses, sorted. */
	readonly names: readonly string[];
	isSignedBy(authority: string): boolean;
	isOf(key: string): boolean;
}

/** Undefined for what is no certificate. */
export function readCertificate(text: string): CertificateFacts | undefined {
	try {
		const certificate = new X509Certificate(text);
		return {
			validity: { from: new Date(certificate.validFrom), until: new Date(certificate.validTo) },
			names: namesOf(certificate.subjectAltName ?? ""),
			isSignedBy: (authority) => verifies(certificate, authority),
			isOf: (key) => matches(certificate, key),
		};
	} catch {
		return undefined;
	}
}

/** The certificates of a PEM text, one text each. */
export function splitCertificates(text: string): readonly string[] {
	const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
	return found.map((certificate) => `${certificate}\n`);
}

function verifies(certificate: X509Certificate, authority: string): boolean {
	try {
		const issuer = new X509Certificate(authority);
		return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
	} catch {
		return false;
	}
}

function matches(certificate: X509Certificate, key: string): boolean {
	try {
		return certificate.checkPrivateKey(createPrivateKey(key));
	} catch {
		return false;
	}
}

/** From `DNS:a.b, IP Address:10.0.0.1`. */
function namesOf(alternatives: string): readonly string[] {
	return alternatives
		.split(", ")
		.map((each) => each.replace(/^(?:DNS|IP Address|IP):/, ""))
		.filter((each) => each !== "")
		.map((each) => (isIP(each) === 6 ? new URL(`http://[${each}]`).hostname.slice(1, -1) : each))
		.sort();
}
