// The webhooks' own authority and certificate: when they are made, and how they are replaced without a moment of distrust.

import {
	createAuthority,
	createServerPair,
	type KeyPair,
	readCertificate,
	type Validity,
} from "../../lib/certificate.ts";

export interface Certificates {
	/** PEM, the newest first: while one replaces another, API servers trust both. */
	readonly authorities: readonly string[];
	/** Of the newest. */
	readonly authorityKey: string;
	readonly server: KeyPair;
}

export interface Wanted {
	/** DNS names and addresses of the server. */
	readonly names: readonly string[];
	readonly now: Date;
	/** All API servers have been told to trust the newest authority. */
	readonly isTrusted: boolean;
}

export interface NextCertificates {
	readonly certificates: Certificates;
	/** Without it no webhook can be served: it does not wait for the leader. */
	readonly isUrgent: boolean;
}

export const AUTHORITY_NAME = "Balancing webhook CA";
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const AUTHORITY_LIFE = 10 * YEAR;
const SERVER_LIFE = YEAR;
/** Clocks of API servers may be behind. */
const EARLIER = HOUR;
/** It is replaced after this part of its life. */
const USED = 2 / 3;

/** Undefined if all is well. Pure but for the keys. */
export function nextCertificates(stored: Certificates | undefined, wanted: Wanted): NextCertificates | undefined {
	const { now, isTrusted } = wanted;
	if (stored === undefined || !hasAuthority(stored, now)) return { certificates: begin(wanted), isUrgent: true };
	const authorities = stored.authorities.filter((each) => isValid(each, now));
	const current = { ...stored, authorities };
	const trouble = judgeServer(current, wanted);
	if (trouble === "unusable") return { certificates: withServer(current, wanted), isUrgent: true };
	if (isUsedUp(authorities[0] ?? "", now)) return { certificates: withAuthority(current, now), isUrgent: false };
	if (trouble === "due" && isTrusted) return { certificates: withServer(current, wanted), isUrgent: false };
	return authorities.length === stored.authorities.length ? undefined : { certificates: current, isUrgent: false };
}

function hasAuthority({ authorities: [newest = ""], authorityKey }: Certificates, now: Date): boolean {
	return isValid(newest, now) && readCertificate(newest)?.isOf(authorityKey) === true;
}

function judgeServer({ authorities, server }: Certificates, { names, now }: Wanted): "fine" | "due" | "unusable" {
	const facts = readCertificate(server.certificate);
	const isVouched = authorities.some((authority) => isValid(authority, now) && facts?.isSignedBy(authority));
	if (facts === undefined || !isVouched || !facts.isOf(server.key) || !isValid(server.certificate, now))
		return "unusable";
	// Nobody could reach it by the new name.
	if (names.some((name) => !facts.names.includes(name))) return "unusable";
	const [newest = ""] = authorities;
	return isUsedUp(server.certificate, now) || !facts.isSignedBy(newest) ? "due" : "fine";
}

function isValid(certificate: string, now: Date): boolean {
	const validity = readCertificate(certificate)?.validity;
	return validity !== undefined && validity.until > now;
}

function isUsedUp(certificate: string, now: Date): boolean {
	const validity = readCertificate(certificate)?.validity;
	if (validity === undefined) return true;
	const [from, until] = [validity.from.getTime(), validity.until.getTime()];
	return now.getTime() >= from + (until - from) * USED;
}

function lifeFrom(now: Date, life: number): Validity {
	return { from: new Date(now.getTime() - EARLIER), until: new Date(now.getTime() + life) };
}

function begin(wanted: Wanted): Certificates {
	const { certificate, key } = createAuthority(AUTHORITY_NAME, lifeFrom(wanted.now, AUTHORITY_LIFE));
	return withServer({ authorities: [certificate], authorityKey: key, server: { certificate: "", key: "" } }, wanted);
}

function withAuthority(stored: Certificates, now: Date): Certificates {
	const { certificate, key } = createAuthority(AUTHORITY_NAME, lifeFrom(now, AUTHORITY_LIFE));
	return { ...stored, authorities: [certificate, ...stored.authorities], authorityKey: key };
}

function withServer(stored: Certificates, { names, now }: Wanted): Certificates {
	const [certificate = ""] = stored.authorities;
	const authority = { name: AUTHORITY_NAME, certificate, key: stored.authorityKey };
	const until = readCertificate(certificate)?.validity.until ?? now;
	const life = lifeFrom(now, SERVER_LIFE);
	const validity = { ...life, until: new Date(Math.min(life.until.getTime(), until.getTime())) };
	return { ...stored, server: createServerPair(names, validity, authority) };
}
