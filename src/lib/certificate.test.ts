// Certificates of our own, judged by OpenSSL and by real handshakes.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../../test/support/command.ts";
import { createAuthority, createServerPair, readCertificate, splitCertificates } from "./certificate.ts";
import { addressBytes, integer, oid, tagged, time } from "./der.ts";

const DAY = 86_400_000;
const validity = { from: new Date(Date.now() - DAY), until: new Date(Date.now() + 365 * DAY) };
const NAMES = ["hook", "hook.ns.svc", "hook.ns.svc.cluster.local", "127.0.0.1", "fd00::12", "::1"];

function inFolder<T>(use: (file: (name: string, text: string) => string) => T): T {
	const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-`));
	try {
		return use((name, text) => {
			writeFileSync(join(folder, name), text);
			return join(folder, name);
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test("createServerPair() gives what OpenSSL accepts for a server, strictly", () => {
	const authority = { name: "Balancing webhook CA", ...createAuthority("Balancing webhook CA", validity) };
	const server = createServerPair(NAMES, validity, authority);
	inFolder((file) => {
		const [ca, leaf] = [file("ca", authority.certificate), file("leaf", server.certificate)];
		const flags = ["-x509_strict", "-purpose", "sslserver"];
		for (const name of ["hook.ns.svc", "hook"])
			expect(must("openssl", "verify", "-CAfile", ca, ...flags, "-verify_hostname", name, leaf)).toContain("OK");
		for (const ip of ["127.0.0.1", "fd00::12"])
			expect(must("openssl", "verify", "-CAfile", ca, ...flags, "-verify_ip", ip, leaf)).toContain("OK");
		expect(must("openssl", "pkey", "-in", file("key", server.key), "-noout", "-check")).toContain("Key is valid");
	});
});

test("readCertificate() reads back names, times, keys and who signed it", () => {
	const authority = { name: "A", ...createAuthority("A", validity) };
	const other = createAuthority("A", validity);
	const server = createServerPair(NAMES, validity, authority);
	const facts = readCertificate(server.certificate);
	expect(facts?.names).toEqual([...NAMES].sort());
	expect(facts?.validity.until.getTime()).toBe(Math.floor(validity.until.getTime() / 1000) * 1000);
	expect([facts?.isSignedBy(authority.certificate), facts?.isSignedBy(other.certificate)]).toEqual([true, false]);
	expect([facts?.isOf(server.key), facts?.isOf(authority.key), facts?.isOf("")]).toEqual([true, false, false]);
	expect(readCertificate("no certificate")).toBeUndefined();
	expect(splitCertificates(`${authority.certificate}\n# words\n${other.certificate}`)).toEqual([
		authority.certificate,
		other.certificate,
	]);
});

test("a server with such a certificate is trusted by its names, and by no others", async () => {
	const authority = { name: "A", ...createAuthority("A", validity) };
	const server = createServerPair(["hook.ns.svc"], validity, authority);
	const listening = createServer({ cert: server.certificate, key: server.key }, (_, response) => response.end("yes"));
	await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", () => resolve()));
	const address = listening.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	const ask = async (ca: string, serverName: string) => {
		const tls = { ca, serverName };
		const answer = fetch(`https://127.0.0.1:${port}/`, { keepalive: false, tls });
		return await answer.then((response) => response.text()).catch(({ code }) => code);
	};
	expect(await ask(authority.certificate, "hook.ns.svc")).toBe("yes");
	expect(await ask(authority.certificate, "hook.other.svc")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
	expect(await ask(createAuthority("A", validity).certificate, "hook.ns.svc")).not.toBe("yes");
	await new Promise((resolve) => listening.close(resolve));
});

test.each([
	["a short length", tagged(4, Buffer.alloc(127)).subarray(0, 2), "047f"],
	["a length of one byte more", tagged(4, Buffer.alloc(128)).subarray(0, 3), "048180"],
	["a length of two bytes more", tagged(4, Buffer.alloc(256)).subarray(0, 4), "04820100"],
	["a number", integer(Buffer.from([0, 0, 5])), "020105"],
	["zero", integer(Buffer.from([0, 0])), "020100"],
	["a number with its highest bit", integer(Buffer.from([0x80])), "02020080"],
	["an identifier", oid("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"],
	["a time of this century's first half", time(new Date("2049-12-31T23:59:59.999Z")), "170d3439313233313233353935395a"],
	["a time of its second half", time(new Date("2050-01-01T00:00:00Z")), "180f32303530303130313030303030305a"],
	["an IPv4 address", addressBytes("192.0.2.1"), "c0000201"],
	["an IPv6 address", addressBytes("2001:db8::1:0"), "20010db8000000000000000000010000"],
	["one that is all zeros", addressBytes("::"), "00".repeat(16)],
])("DER of %s", (_, bytes, hex) => {
	expect(bytes.toString("hex")).toBe(hex);
});
