// The life of the webhooks' certificates, year by year: whoever trusts what was told to API servers always trusts the server.

import { expect, test } from "bun:test";
import { createAuthority, createServerPair, readCertificate } from "../../lib/certificate.ts";
import { AUTHORITY_NAME, type Certificates, nextCertificates } from "./certificates.ts";

const DAY = 86_400_000;
const START = new Date("2026-11-20T12:00:00Z");
const NAMES = ["hook", "hook.ns.svc", "127.0.0.1"];
const after = (days: number) => new Date(START.getTime() + days * DAY);

function made(days = 0, stored?: Certificates, isTrusted = true): Certificates {
	const next = nextCertificates(stored, { names: NAMES, now: after(days), isTrusted });
	if (next === undefined) throw new Error("nothing was made");
	return next.certificates;
}

test("nextCertificates() makes an authority of ten years and a certificate of one, once", () => {
	const next = nextCertificates(undefined, { names: NAMES, now: START, isTrusted: false });
	expect(next?.isUrgent).toBe(true);
	const { authorities, server } = made();
	const life = (text = "") => {
		const validity = readCertificate(text)?.validity;
		return validity && [Math.round((validity.until.getTime() - START.getTime()) / DAY), validity.from < START];
	};
	expect([authorities.length, life(authorities[0]), life(server.certificate)]).toEqual([1, [3650, true], [365, true]]);
	const facts = readCertificate(server.certificate);
	expect([facts?.names, facts?.isSignedBy(authorities[0] ?? "")]).toEqual([[...NAMES].sort(), true]);
	expect(nextCertificates(next?.certificates, { names: NAMES, now: after(200), isTrusted: false })).toBeUndefined();
});

test("a server's certificate is replaced after two thirds of its life", () => {
	const first = made();
	const at = (days: number) => nextCertificates(first, { names: NAMES, now: after(days), isTrusted: true });
	expect([at(243), at(244)?.isUrgent]).toEqual([undefined, false]);
	expect(at(244)?.certificates.authorities).toEqual(first.authorities);
	expect(at(366)?.isUrgent).toBe(true);
});

test("an authority is replaced in steps: first it is told, then it is used", () => {
	const old = made();
	const years = 2434;
	const renewed = made(years - 1, old);
	const told = made(years, renewed, false);
	expect([told.authorities.length, told.authorities[1], told.server]).toEqual([
		2,
		old.authorities[0] ?? "",
		renewed.server,
	]);
	// Nobody trusts the new one yet.
	expect(nextCertificates(told, { names: NAMES, now: after(years), isTrusted: false })).toBeUndefined();
	const used = made(years, told, true);
	const facts = readCertificate(used.server.certificate);
	expect(used.authorities.map((authority) => facts?.isSignedBy(authority))).toEqual([true, false]);
	const alone = made(3660, used);
	expect(alone.authorities).toEqual(used.authorities.slice(0, 1));
});

test("over forty years a client with what it was told last always trusts the server", () => {
	let stored = made();
	let told = stored.authorities;
	for (let day = 0; day < 40 * 365; day += 5) {
		const now = after(day);
		const isTrusted = told.includes(stored.authorities[0] ?? "");
		stored = nextCertificates(stored, { names: NAMES, now, isTrusted })?.certificates ?? stored;
		const facts = readCertificate(stored.server.certificate);
		const trusted = told.filter((authority) => (readCertificate(authority)?.validity.until ?? START) > now);
		const isServed =
			trusted.some((authority) => facts?.isSignedBy(authority)) && (facts?.validity.until ?? START) > now;
		if (!isServed) throw new Error(`day ${day}: not trusted`);
		told = stored.authorities;
	}
	expect(stored.authorities.length).toBeLessThan(3);
});

test.each<[string, (stored: Certificates) => Certificates]>([
	["no authority", (stored) => ({ ...stored, authorities: [] })],
	["an authority that is no certificate", (stored) => ({ ...stored, authorities: ["x"] })],
	["the key of another authority", (stored) => ({ ...stored, authorityKey: made().authorityKey })],
	["a server without a certificate", (stored) => ({ ...stored, server: { certificate: "", key: "" } })],
	["a server with another's key", (stored) => ({ ...stored, server: { ...stored.server, key: made().server.key } })],
	["a server of another authority", (stored) => ({ ...stored, server: made().server })],
	[
		"a server of other names",
		(stored) => {
			const [certificate = ""] = stored.authorities;
			const authority = { name: AUTHORITY_NAME, certificate, key: stored.authorityKey };
			return { ...stored, server: createServerPair(["other"], { from: START, until: after(100) }, authority) };
		},
	],
	[
		"an authority that has expired",
		(stored) => {
			const { certificate, key } = createAuthority(AUTHORITY_NAME, { from: after(-100), until: after(-1) });
			return { ...stored, authorities: [certificate], authorityKey: key };
		},
	],
])("%s is mended at once", (_, spoil) => {
	const next = nextCertificates(spoil(made()), { names: NAMES, now: START, isTrusted: false });
	expect(next?.isUrgent).toBe(true);
	const mended = next?.certificates;
	expect(nextCertificates(mended, { names: NAMES, now: START, isTrusted: true })).toBeUndefined();
});
