// Writes: create, update, patch and delete with what the server does around them (versions, generations, finalizers, status).

import { randomBytes, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { applyConfiguration } from "./apply.ts";
import { complete, faultsOf } from "./defaults.ts";
import { establish } from "./definition.ts";
import { apiVersionOf, DEFINITIONS, idOf, type Kind } from "./kind.ts";
import { changedPaths, nextManaged, type Writer } from "./managed.ts";
import {
	asObject,
	at,
	defined,
	type Fields,
	fieldsOf,
	type KubeObject,
	keyOf,
	textOf,
	timestamp,
	withMeta,
} from "./object.ts";
import { patched } from "./patch.ts";
import { checkDeletion, checkPreconditions, subjectOf } from "./precondition.ts";
import { type Registry, removeAll } from "./registry.ts";
import { type Rules, shape } from "./schema.ts";
import { alreadyExists, badRequest, invalid, objectNotFound, type Subject } from "./status.ts";
import type { Store } from "./store.ts";

export interface WriteOptions {
	readonly manager: string;
	readonly subresource?: string | undefined;
	readonly dryRun?: boolean;
	/** Server-side apply: takes fields from other managers. */
	readonly force?: boolean;
	/** The hub's own hand: makes the namespace, keeps the status, asks for no version. */
	readonly direct?: boolean;
	/** fieldValidation=Strict. */
	readonly strict?: boolean;
}

export interface Place {
	readonly kind: Kind;
	readonly namespace: string | undefined;
	readonly name: string | undefined;
}

export interface Writes {
	create(place: Place, body: unknown, options: WriteOptions): KubeObject;
	update(place: Place, body: unknown, options: WriteOptions): KubeObject;
	patch(place: Place, patch: { readonly type: string; readonly body: unknown }, options: WriteOptions): Patched;
	delete(place: Place, body: unknown, options: WriteOptions): Deleted;
}

interface Patched {
	readonly object: KubeObject;
	readonly created: boolean;
}

/** `gone`: false if a finalizer or a grace period holds the object. */
interface Deleted {
	readonly object: KubeObject;
	readonly gone: boolean;
}

/** Some errors of built-in kinds name the kind and not the resource. */
function invalidSubject(kind: Kind, name: string): Subject {
	return { name, group: kind.group, kind: kind.kind };
}

export function createWrites(store: Store, registry: Registry, rules: Rules | undefined): Writes {
	const existing = ({ kind, namespace, name = "" }: Place): KubeObject => {
		const object = store.get(idOf(kind), kind.namespaced ? `${namespace}/${name}` : name);
		if (object === undefined) throw objectNotFound(subjectOf(kind, name));
		return object;
	};
	const put = (kind: Kind, object: KubeObject, { dryRun }: WriteOptions): KubeObject => {
		if (dryRun) return object;
		if (isReleased(object)) return store.remove(idOf(kind), keyOf(object)) ?? object;
		const stored = store.put(idOf(kind), object);
		return idOf(kind) === DEFINITIONS ? establish(store, stored) : stored;
	};
	const create = (place: Place, body: unknown, options: WriteOptions): KubeObject => {
		const { kind, namespace } = place;
		const given = parseBody(body, kind);
		checkNamespace(store, { place, given, options });
		const name = given.metadata.name || generatedName(given);
		const named = withMeta(given, defined({ name, namespace: kind.namespaced ? namespace : undefined }));
		if (store.get(idOf(kind), keyOf(named)) !== undefined) throw alreadyExists(subjectOf(kind, name));
		const bare = options.direct || !kind.status || kind.bornWithStatus ? named : withoutStatus(named);
		const completed = complete(bare, kind, { store, before: undefined });
		refuseUnknown(bare, kind, options);
		refuseFaults(completed, kind, { before: undefined, rules });
		const born = withMeta(completed, {
			uid: (options.direct && given.metadata.uid) || randomUUID(),
			creationTimestamp: timestamp(),
			...(kind.generation && { generation: 1 }),
		});
		const set = changedPaths(undefined, born, undefined);
		const managedFields = nextManaged(undefined, born, { writer: updaterOf(options), set });
		return put(kind, withMeta(cleanVersion(born), { managedFields }), options);
	};
	const replace = (before: KubeObject, after: KubeObject, { kind, options }: Replacing): KubeObject => {
		const merged = mergedWith(before, after, { kind, options });
		const completed = complete(merged, kind, { store, before });
		refuseUnknown(merged, kind, options);
		refuseFaults(completed, kind, { before, rules });
		if (isDeepStrictEqual(comparable(before), comparable(completed))) return before;
		const generation = nextGeneration(before, completed, kind);
		const writer = updaterOf(options);
		const set = changedPaths(before, completed, options.subresource);
		const managedFields =
			completed.metadata.managedFields === before.metadata.managedFields
				? nextManaged(before, completed, { writer, set })
				: completed.metadata.managedFields;
		return put(kind, withMeta(completed, defined({ generation, managedFields })), options);
	};
	return {
		create,
		update(place, body, options) {
			const given = parseBody(body, place.kind);
			const before = existing(place);
			if (given.metadata.name !== place.name)
				throw badRequest(
					`the name of the object (${given.metadata.name}) does not match the name on the URL (${place.name})`,
				);
			if (!options.direct) checkPreconditions(before, given, place.kind);
			return replace(before, given, { kind: place.kind, options });
		},
		patch(place, { type, body }, options) {
			const key = place.kind.namespaced ? `${place.namespace}/${place.name}` : `${place.name}`;
			const before = store.get(idOf(place.kind), key);
			if (type === "application/apply-patch+yaml") {
				const { object, managedFields } = applyConfiguration(before, parseBody(body, place.kind), options);
				if (before === undefined) {
					const created = create(place, object, { ...options, direct: true, dryRun: true });
					return { object: put(place.kind, withMeta(created, { managedFields }), options), created: true };
				}
				const applied = withMeta(object, { managedFields });
				return { object: replace(before, applied, { kind: place.kind, options }), created: false };
			}
			if (before === undefined) throw objectNotFound(subjectOf(place.kind, place.name ?? ""));
			const after = parseBody(patched(before, type, body), place.kind);
			checkPreconditions(before, after, place.kind);
			return { object: replace(before, after, { kind: place.kind, options }), created: false };
		},
		delete(place, body, options) {
			const before = existing(place);
			checkDeletion(before, fieldsOf(body), place.kind);
			if (options.dryRun) return { object: before, gone: true };
			const held = holdOf(before, place.kind, { body: fieldsOf(body), options });
			if (held !== undefined) {
				const deleting = withMeta(before, {
					deletionTimestamp: before.metadata.deletionTimestamp ?? timestamp(),
					deletionGracePeriodSeconds: held,
					...(place.kind.generation && { generation: (before.metadata.generation ?? 1) + 1 }),
				});
				const known = before.metadata.deletionTimestamp !== undefined;
				return { object: known ? before : store.put(idOf(place.kind), deleting), gone: false };
			}
			emptyFirst(place.kind, before);
			return { object: store.remove(idOf(place.kind), keyOf(before)) ?? before, gone: true };
		},
	};

	/** With a namespace goes what is in it, with a definition what it defines. */
	function emptyFirst(kind: Kind, object: KubeObject): void {
		if (idOf(kind) === "namespaces") emptyNamespace(object.metadata.name);
		if (idOf(kind) !== DEFINITIONS) return;
		const group = `${at(object, "spec", "group")}`;
		const custom = registry.find(group, versionIn(object), `${at(object, "spec", "names", "plural")}`);
		const deleting = { deletionTimestamp: timestamp(), finalizers: ["customresourcecleanup.apiextensions.k8s.io"] };
		store.put(DEFINITIONS, withMeta(object, deleting));
		if (custom !== undefined) removeAll(store, custom);
	}

	function emptyNamespace(name: string): void {
		for (const kind of registry.all().filter(({ namespaced }) => namespaced)) {
			const inside = store.snapshot(idOf(kind)).objects.filter(({ metadata }) => metadata.namespace === name);
			for (const object of inside) store.remove(idOf(kind), keyOf(object));
		}
	}
}

interface Replacing {
	readonly kind: Kind;
	readonly options: WriteOptions;
}

function versionIn(definition: KubeObject): string {
	const versions = at(definition, "spec", "versions");
	return `${at(Array.isArray(versions) ? versions[0] : undefined, "name")}`;
}

function updaterOf({ manager, subresource }: WriteOptions): Writer {
	return { manager, operation: "Update", subresource };
}

function parseBody(body: unknown, kind: Kind): KubeObject {
	const object = asObject(body);
	if (object === undefined)
		throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind`);
	if (object.kind !== kind.kind || object.apiVersion !== apiVersionOf(kind)) {
		const version = object.apiVersion.split("/").at(-1);
		throw badRequest(
			`${object.kind} in version "${version}" cannot be handled as a ${kind.kind}: converting (${version}.${object.kind}) to (core.${kind.kind}): unknown conversion`,
		);
	}
	return object;
}

interface Arriving {
	readonly place: Place;
	readonly given: KubeObject;
	readonly options: WriteOptions;
}

function checkNamespace(store: Store, { place: { kind, namespace }, given, options }: Arriving): void {
	if (!kind.namespaced) return;
	const said = given.metadata.namespace;
	if (said !== undefined && said !== "" && said !== namespace)
		throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
	if (!options.direct && store.get("namespaces", `${namespace}`) === undefined)
		throw objectNotFound({ name: `${namespace}`, group: "", kind: "namespaces" });
}

function generatedName({ metadata: { generateName } }: KubeObject): string {
	return generateName === undefined ? "" : `${generateName}${randomBytes(3).toString("hex").slice(0, 5)}`;
}

function withoutStatus({ status: _, ...rest }: KubeObject): KubeObject {
	return rest;
}

function cleanVersion(object: KubeObject): KubeObject {
	const { resourceVersion: _, ...metadata } = object.metadata;
	return { ...object, metadata };
}

/** Field validation: fields that a custom kind does not have. */
function refuseUnknown(object: KubeObject, kind: Kind, { strict }: WriteOptions): void {
	if (!strict || kind.schema === undefined) return;
	const unknown: string[] = [];
	shape(kind.schema, object, unknown);
	if (unknown.length === 0) return;
	const list = unknown.map((field) => `unknown field "${field}"`).join(", ");
	const what = `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}`;
	throw badRequest(`${what}: strict decoding error: ${list}`);
}

function refuseFaults(object: KubeObject, kind: Kind, context: Parameters<typeof faultsOf>[2]): void {
	const causes = faultsOf(object, kind, context);
	if (causes.length > 0) throw invalid(invalidSubject(kind, object.metadata.name), causes);
}

/** What a write may change: the status only by its subresource, and that nothing else. */
function mergedWith(before: KubeObject, after: KubeObject, { kind, options }: Replacing): KubeObject {
	const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, namespace, generation } =
		before.metadata;
	const kept = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, namespace, generation };
	const managedFields = after.metadata.managedFields ?? before.metadata.managedFields;
	const metadata = defined({ ...after.metadata, ...kept, managedFields });
	if (options.subresource === "status") {
		const status = defined({ status: after.status });
		return withMeta({ ...withoutStatus(before), ...status }, defined({ managedFields }));
	}
	if (!kind.status || (options.direct && after.status !== undefined)) return { ...after, metadata };
	return { ...withoutStatus(after), ...defined({ status: before.status }), metadata };
}

/** Without what changes with every write. */
function comparable({ metadata, ...rest }: KubeObject): Fields {
	const { resourceVersion: _, managedFields: __, ...kept } = metadata;
	return JSON.parse(JSON.stringify({ ...rest, metadata: kept })) as Fields;
}

function nextGeneration(before: KubeObject, after: KubeObject, kind: Kind): number | undefined {
	if (!kind.generation) return before.metadata.generation;
	const bodyOf = ({ metadata: _, status: __, ...body }: KubeObject) => JSON.parse(JSON.stringify(body)) as Fields;
	const moved = !isDeepStrictEqual(bodyOf(before), bodyOf(after));
	return (before.metadata.generation ?? 1) + (moved ? 1 : 0);
}

function isReleased({ metadata: { deletionTimestamp, finalizers, deletionGracePeriodSeconds } }: KubeObject): boolean {
	return deletionTimestamp !== undefined && (finalizers ?? []).length === 0 && (deletionGracePeriodSeconds ?? 0) === 0;
}

/** The grace in seconds of an object that stays for now; undefined if it goes at once. */
function holdOf(
	before: KubeObject,
	kind: Kind,
	{ body, options }: { readonly body: Fields; readonly options: WriteOptions },
): number | undefined {
	const asked = body["gracePeriodSeconds"];
	const bound = idOf(kind) === "pods" && textOf(before.spec?.["nodeName"]) !== undefined;
	if (bound && asked !== 0 && !options.direct) return typeof asked === "number" ? asked : 30;
	return (before.metadata.finalizers ?? []).length > 0 ? 0 : undefined;
}
