// Id-tokens of a user with `auth-provider: oidc`: the one at hand as long as it is good, then others for the refresh-token.

import { Buffer } from "node:buffer";
import { field, isRaw } from "../../model/raw.ts";
import { type Asking, type IssuerClient, refreshTokens, type Tokens } from "./oidc_issuer.ts";

export interface OidcSettings extends IssuerClient, Tokens {}

/**
 * Keeps what the issuer gave as long as the kubeconfig's own tokens stay the same: many issuers take a refresh-token only once, and
 * nobody writes the new one down.
 */
export interface OidcLogin {
	/** Asks the issuer if there is none that is good; once for all who ask at the same time. Throws Error with issuer or user and the fix. */
	token(settings: OidcSettings): Promise<string>;
	/** The API server did not accept the last one. */
	refuse(): void;
}

/** Milliseconds before its end from which a token is not used any more, as in client-go. */
const MARGIN = 10_000;
/** Milliseconds. The refusal of a token as new as this is of the one before, or the next one would be refused as well. */
const NEW = 5000;

export function createOidcLogin(options: Asking): OidcLogin {
	let session: Session | undefined;
	return {
		async token(settings) {
			const { issuer, clientId, idToken, refreshToken } = settings;
			const origin = JSON.stringify([issuer, clientId, idToken, refreshToken]);
			if (session?.origin !== origin) session = createSession(origin, settings, options);
			return await session.token(settings);
		},
		refuse: () => session?.refuse(),
	};
}

interface Session extends OidcLogin {
	/** What the kubeconfig says. */
	readonly origin: string;
}

function createSession(origin: string, first: Tokens, options: Asking): Session {
	const { clock } = options;
	let { idToken, refreshToken } = first;
	let since = Number.NEGATIVE_INFINITY;
	// The machine's clock is asked about the first token only; later ones say how long they are good.
	let until = clock.now() + lifetime(idToken, () => Date.now() / 1000) - MARGIN;
	let isRefused = false;
	let refreshing: Promise<string> | undefined;

	async function refresh(settings: OidcSettings): Promise<string> {
		const wasRefused = isRefused;
		// If nothing comes of it the old one is tried again: the API server may be the one that was wrong.
		isRefused = false;
		if (refreshToken === undefined) {
			const fact = idToken === undefined ? "is missing" : wasRefused ? "is not accepted" : "has expired";
			throw new Error(
				`Cannot use user ${settings.user}: its id-token ${fact}, and there is no refresh-token to get another one (log in again)`,
			);
		}
		const given = await refreshTokens(settings, refreshToken, options);
		refreshToken = given.refreshToken ?? refreshToken;
		if (given.idToken === undefined) {
			throw new Error(
				`Cannot use user ${settings.user}: ${settings.issuer} gave no id_token for its refresh-token (log in again with the scope openid, or use an exec plugin such as kubelogin)`,
			);
		}
		idToken = given.idToken;
		since = clock.now();
		until = since + lifetime(idToken, (issued) => issued ?? Date.now() / 1000) - MARGIN;
		return idToken;
	}

	return {
		origin,
		async token(settings) {
			if (idToken !== undefined && !isRefused && clock.now() < until) return idToken;
			refreshing ??= refresh(settings).finally(() => {
				refreshing = undefined;
			});
			return await refreshing;
		},
		refuse() {
			if (clock.now() - since > NEW) isRefused = true;
		},
	};
}

/** Milliseconds from `start`, which is given the token's `iat` and says seconds; endless where the token does not say: a 401 will tell. */
function lifetime(token: string | undefined, start: (issued: number | undefined) => number): number {
	const { exp, iat } = claimsOf(token ?? "");
	return exp === undefined ? Number.POSITIVE_INFINITY : (exp - start(iat)) * 1000;
}

/** RFC 7519 section 4.1. Nothing is verified: the token is for the API server. */
function claimsOf(token: string): { readonly exp?: number | undefined; readonly iat?: number | undefined } {
	try {
		const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
		const number = (key: string): number | undefined => {
			const value = isRaw(claims) ? field(claims, key) : undefined;
			return typeof value === "number" ? value : undefined;
		};
		return { exp: number("exp"), iat: number("iat") };
	} catch {
		return {};
	}
}
