// Who asks, and what they may do: client certificates, bearer tokens, and rules as RBAC has them.

import { randomBytes, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { HttpRequest } from "./http_request.ts";
import { type Fields, fieldsOf, listOf } from "./object.ts";
import { selectedName } from "./selector.ts";
import { type ApiError, forbidden, groupResource, unauthorized } from "./status.ts";
import type { ResourceTarget, Target } from "./target.ts";

/** A PolicyRule; `*` is everything. */
export interface Rule {
	readonly verbs: readonly string[];
	/** Absent: every group. */
	readonly groups?: readonly string[];
	/** Plurals; subresources as `services/status`. */
	readonly resources: readonly string[];
	/** Absent: everywhere; given: only in these namespaces. */
	readonly namespaces?: readonly string[];
	/** resourceNames: only these objects. */
	readonly names?: readonly string[];
}

/** The rules of a Role or ClusterRole, so that what is delivered can be tried: setRules(user, rulesOf(role)). */
export function rulesOf(role: Fields, namespaces?: readonly string[]): readonly Rule[] {
	const texts = (value: unknown) => listOf(value).map(String);
	return listOf(role["rules"])
		.map(fieldsOf)
		.map(({ verbs, apiGroups, resources, resourceNames }) => ({
			verbs: texts(verbs),
			groups: texts(apiGroups),
			resources: texts(resources),
			...(namespaces !== undefined && { namespaces }),
			...(Array.isArray(resourceNames) && { names: texts(resourceNames) }),
		}));
}

export interface User {
	readonly name: string;
	readonly groups: readonly string[];
}

export interface Access {
	/** A user of the request, or 401. */
	authenticate(request: HttpRequest, socket: Socket): User;
	/** 403 if the user may not. */
	authorize(user: User, target: Target, query: URLSearchParams): void;
	may(user: User, asked: Asked): boolean;
	/** Everything is allowed to a user without rules who is in system:masters, and nothing to others. */
	setRules(user: string, rules: readonly Rule[]): void;
	/** A token for the user; the ones before go on working until they are revoked. */
	issueToken(user: User): string;
	revokeTokens(user: string): void;
	/** Tokens of an issuer are accepted, too: `verify` says whose one is, as --oidc-issuer-url does. */
	trustIssuer(verify: (token: string) => string | undefined): void;
	/** This certificate (PEM) is refused from now on: 401. */
	revokeCertificate(pem: string): void;
	/** False: a request without credentials is 401, not system:anonymous. */
	setAnonymous(allowed: boolean): void;
}

export interface Asked {
	readonly verb: string;
	readonly group: string;
	/** With its subresource. */
	readonly resource: string;
	readonly namespace: string | undefined;
	readonly name: string | undefined;
}

const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };
/** system:public-info-viewer and system:discovery. */
const PUBLIC = /^\/(?:version|healthz|livez|readyz)(?:\/|$)/;
const DISCOVERY = /^\/(?:api|apis|openapi|version|healthz|livez|readyz)(?:\/|$)/;
const SELF = new Set(["selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"]);

export function createAccess(): Access {
	const rules = new Map<string, readonly Rule[]>();
	const tokens = new Map<string, User>();
	const refused = new Set<string>();
	let nameOf: (token: string) => string | undefined = () => undefined;
	let anonymous = true;
	const may = (user: User, asked: Asked): boolean => {
		if (SELF.has(asked.resource) && user.name !== ANONYMOUS.name) return true;
		const own = rules.get(user.name);
		if (own === undefined) return user.groups.includes("system:masters");
		return own.some((rule) => allows(rule, asked));
	};
	const bearer = (token: string): User | undefined => {
		const name = nameOf(token);
		return tokens.get(token) ?? (name === undefined ? undefined : { name, groups: ["system:authenticated"] });
	};
	return {
		authenticate(request, socket) {
			const certificate = certifiedUser(socket, refused);
			if (certificate !== undefined && certificate !== "untrusted") return certificate;
			const token = /^Bearer (.*)$/.exec(request.headers["authorization"] ?? "")?.[1];
			const user = token === undefined ? undefined : bearer(token);
			if (user !== undefined) return user;
			if (certificate !== undefined || request.headers["authorization"] !== undefined || !anonymous)
				throw unauthorized();
			return ANONYMOUS;
		},
		authorize(user, target, query) {
			if (target.kind === "path") {
				if (!mayPath(user, target.path, rules.has(user.name)))
					throw forbidden(undefined, `forbidden: User "${user.name}" cannot ${target.verb} path "${target.path}"`);
				return;
			}
			const asked = askedOf(target, query);
			if (!may(user, asked)) throw refusal(user, target, asked.resource);
		},
		may,
		setRules: (user, next) => void rules.set(user, next),
		issueToken(user) {
			const token = `test-${randomBytes(24).toString("hex")}`;
			tokens.set(token, { ...user, groups: [...user.groups, "system:authenticated"] });
			return token;
		},
		revokeTokens(user) {
			for (const [token, { name }] of tokens) if (name === user) tokens.delete(token);
		},
		trustIssuer(verify) {
			nameOf = verify;
		},
		revokeCertificate: (pem) => void refused.add(new X509Certificate(pem).serialNumber),
		setAnonymous(allowed) {
			anonymous = allowed;
		},
	};
}

function mayPath({ name, groups }: User, path: string, limited: boolean): boolean {
	if (name === ANONYMOUS.name) return PUBLIC.test(path);
	return DISCOVERY.test(path) || (groups.includes("system:masters") && !limited);
}

function askedOf(
	{ verb, group, resource, subresource, namespace, name }: ResourceTarget,
	query: URLSearchParams,
): Asked {
	return {
		verb,
		group,
		resource: subresource === undefined ? resource : `${resource}/${subresource}`,
		namespace,
		name: name ?? selectedName(query.get("fieldSelector") ?? ""),
	};
}

function refusal(user: User, { verb, group, resource, namespace, name }: ResourceTarget, asked: string): ApiError {
	const subject = { ...(name !== undefined && { name }), group, kind: resource };
	const what = groupResource({ group, kind: resource }) + (name === undefined ? "" : ` "${name}"`);
	const where = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
	const may = `User "${user.name}" cannot ${verb} resource "${asked}" in API group "${group}" ${where}`;
	return forbidden(subject, `${what} is forbidden: ${may}`);
}

/** The user that a client certificate names. */
function certifiedUser(socket: Socket, refused: ReadonlySet<string>): User | "untrusted" | undefined {
	if (!(socket instanceof TLSSocket)) return undefined;
	const certificate = socket.getPeerCertificate();
	const subject = certificate?.subject as { readonly CN?: unknown; readonly O?: unknown } | undefined;
	if (typeof subject?.CN !== "string") return undefined;
	if (!socket.authorized || refused.has(certificate.serialNumber.toUpperCase())) return "untrusted";
	const groups = [subject.O].flat().filter((group) => typeof group === "string");
	return { name: subject.CN, groups: [...groups, "system:authenticated"] };
}

function allows({ verbs, groups, resources, namespaces, names }: Rule, asked: Asked): boolean {
	return (
		has(verbs, asked.verb) &&
		has(groups ?? ["*"], asked.group) &&
		has(resources, asked.resource) &&
		(namespaces === undefined || (asked.namespace !== undefined && has(namespaces, asked.namespace))) &&
		(names === undefined || (asked.name !== undefined && names.includes(asked.name)))
	);
}

function has(allowed: readonly string[], asked: string): boolean {
	return allowed.includes("*") || allowed.includes(asked);
}
