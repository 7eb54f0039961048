// Preconditions of writes: an update of what somebody else has changed is a conflict.

import { idOf, type Kind } from "./kind.ts";
import { type Fields, fieldsOf, type KubeObject, textOf } from "./object.ts";
import { conflict, invalid, invalidValue, type Subject } from "./status.ts";

export function subjectOf(kind: Kind, name: string): Subject {
	return { name, group: kind.group, kind: kind.resource };
}

/** Built-in kinds of which a PUT need not say the version it replaces. */
const UNCONDITIONAL = new Set([
	"services",
	"pods",
	"nodes",
	"namespaces",
	"configmaps",
	"endpointslices.discovery.k8s.io",
]);

/** The version and uid that an update, or a patch, says must be those of the object. Throws 409 or 422. */
export function checkPreconditions(before: KubeObject, given: KubeObject, kind: Kind): void {
	const { resourceVersion = "", uid } = given.metadata;
	const subject = subjectOf(kind, before.metadata.name);
	if (uid !== undefined && uid !== "" && uid !== before.metadata.uid)
		throw conflict(
			subject,
			`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
		);
	if (resourceVersion === "" && !UNCONDITIONAL.has(idOf(kind)))
		throw invalid(subject, [invalidValue("metadata.resourceVersion", "0", "must be specified for an update")]);
	if (resourceVersion !== "" && resourceVersion !== before.metadata.resourceVersion) throw conflict(subject);
}

/** The same for DeleteOptions. */
export function checkDeletion(before: KubeObject, body: Fields, kind: Kind): void {
	const { uid, resourceVersion } = fieldsOf(body["preconditions"]);
	const subject = subjectOf(kind, before.metadata.name);
	const differs = (what: string, wanted: unknown, found: string | undefined) => {
		if (wanted !== undefined && wanted !== found)
			throw conflict(
				subject,
				`Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`,
			);
	};
	differs("UID", textOf(uid), before.metadata.uid);
	differs("ResourceVersion", textOf(resourceVersion), before.metadata.resourceVersion);
}
