// What clients ask about themselves and others: who am I, may I.

import type { Access, User } from "./access.ts";
import { at, type Fields, fieldsOf, textOf, timestamp } from "./object.ts";

/** The answer to a review that was created. */
export function review(
	access: Access,
	asker: User,
	{ resource, body }: { readonly resource: string; readonly body: unknown },
): Fields {
	if (resource === "selfsubjectreviews") {
		return {
			kind: "SelfSubjectReview",
			apiVersion: "authentication.k8s.io/v1",
			metadata: { creationTimestamp: timestamp() },
			status: { userInfo: { username: asker.name, groups: asker.groups } },
		};
	}
	const spec = fieldsOf(at(body, "spec"));
	const asked = fieldsOf(spec["resourceAttributes"]);
	const user =
		resource === "selfsubjectaccessreviews"
			? asker
			: { name: textOf(spec["user"]) ?? "", groups: [spec["groups"] ?? []].flat().map(String) };
	const sub = textOf(asked["subresource"]);
	const allowed = access.may(user, {
		verb: textOf(asked["verb"]) ?? "",
		group: textOf(asked["group"]) ?? "",
		resource: sub === undefined ? (textOf(asked["resource"]) ?? "") : `${asked["resource"]}/${sub}`,
		namespace: textOf(asked["namespace"]),
		name: textOf(asked["name"]),
	});
	return {
		kind: resource === "selfsubjectaccessreviews" ? "SelfSubjectAccessReview" : "SubjectAccessReview",
		apiVersion: "authorization.k8s.io/v1",
		metadata: {},
		spec,
		status: { allowed },
	};
}
