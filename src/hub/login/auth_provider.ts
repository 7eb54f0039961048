// A user's `auth-provider`: what oidc needs, and a way out for those that kubectl has given up.

import { field, isRaw, type Raw } from "../../model/raw.ts";
import { fileOrData } from "./entry_file.ts";
import { type ConfigEntry, textOf } from "./kubeconfig.ts";
import type { OidcSettings } from "./oidc.ts";

/** Part of kubectl until 1.25; their makers offer programs instead. */
const REPLACED: ReadonlyMap<string | undefined, string> = new Map([
	["azure", "kubelogin: kubelogin convert-kubeconfig"],
	["gcp", "gke-gcloud-auth-plugin: gcloud container clusters get-credentials CLUSTER"],
]);

/** The fields of client-go's oidc provider. Throws Error that names the user, the field and the fix. */
export async function readAuthProvider({ name, folder }: ConfigEntry, provider: Raw): Promise<OidcSettings> {
	const kind = textOf(provider, "name");
	const instead = REPLACED.get(kind);
	if (instead !== undefined) {
		throw new Error(
			`Cannot use user ${name}: auth-provider ${kind} is not supported, kubectl 1.26 removed it (use the exec plugin ${instead})`,
		);
	}
	if (kind !== "oidc") {
		throw new Error(
			`Cannot use user ${name}: auth-provider ${kind ?? "(no name)"} is not supported (oidc is; else use an exec plugin)`,
		);
	}
	const given = field(provider, "config");
	const fields = isRaw(given) ? given : {};
	const ca = await fileOrData({ name, folder, fields }, "idp-certificate-authority");
	return {
		user: name,
		issuer: issuerOf(name, fields),
		clientId: needed(name, fields, "client-id"),
		clientSecret: textOf(fields, "client-secret"),
		idToken: textOf(fields, "id-token"),
		refreshToken: textOf(fields, "refresh-token"),
		ca,
	};
}

function needed(user: string, config: Raw, key: string): string {
	const value = textOf(config, key);
	if (value !== undefined) return value;
	throw new Error(`Cannot use user ${user}: its auth-provider oidc has no ${key}; set auth-provider.config.${key}`);
}

/** Without a slash at the end. Secrets are sent there. */
function issuerOf(user: string, config: Raw): string {
	const issuer = needed(user, config, "idp-issuer-url");
	if (URL.canParse(issuer) && new URL(issuer).protocol === "https:") return issuer.replace(/\/+$/, "");
	throw new Error(`Cannot use user ${user}: idp-issuer-url ${issuer} is no https URL; write it as https://HOST/PATH`);
}
