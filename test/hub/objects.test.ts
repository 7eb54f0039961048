// Single objects at an API server over TLS: read, made, changed, deleted, and what happens when somebody else was faster.

import { expect, test } from "bun:test";
import { HubError } from "../../src/hub/request/hub_error.ts";
import { isConflict, isForbidden, isNotFound, metaOf, type ObjectPlace } from "../../src/hub/request/objects.ts";
import { loginTo } from "../support/api.ts";
import { startHub } from "../support/hub/hub.ts";
import { at } from "../support/hub/object.ts";
import { serverError, tooManyRequests } from "../support/hub/status.ts";

const LEASE: ObjectPlace = {
	kind: "Lease",
	apiVersion: "coordination.k8s.io/v1",
	resource: "leases",
	namespace: "default",
	name: "leader",
};
const POLICY: ObjectPlace = {
	kind: "BalancingPolicy",
	apiVersion: "balancing.elf.io/v1beta1",
	resource: "balancingpolicies",
	name: "p1",
};

async function errorOf(promise: Promise<unknown>): Promise<HubError> {
	const error = await promise.then(
		() => new Error("it worked"),
		(thrown: unknown) => thrown,
	);
	if (!(error instanceof HubError)) throw error;
	return error;
}

test("an object is made once, replaced by its version, and gone when it was deleted", async () => {
	await using hub = await startHub();
	using login = loginTo(hub);
	const { objects } = login;
	expect(await objects.get(LEASE)).toBeUndefined();
	const made = await objects.create(LEASE, { spec: { holderIdentity: "a", leaseDurationSeconds: 15 } });
	expect(at(made, "spec", "holderIdentity")).toBe("a");
	const again = await errorOf(objects.create(LEASE, { spec: {} }));
	expect([again.status, again.reason, isConflict(again)]).toEqual([409, "AlreadyExists", true]);
	const replaced = await objects.replace(LEASE, { ...made, spec: { holderIdentity: "b" } });
	expect(at(await objects.get(LEASE), "spec", "holderIdentity")).toBe("b");
	const late = await errorOf(objects.replace(LEASE, { ...made, spec: { holderIdentity: "c" } }));
	expect([late.status, late.reason]).toEqual([409, "Conflict"]);
	expect(late.message).toStartWith("Cannot update Lease default/leader: 409 Operation cannot be fulfilled");
	expect(metaOf(replaced, "resourceVersion")).not.toBe(metaOf(made, "resourceVersion"));
	await objects.remove(LEASE);
	await objects.remove(LEASE);
	expect(await objects.get(LEASE)).toBeUndefined();
	expect(isNotFound(await errorOf(objects.replace(LEASE, replaced)))).toBe(true);
});

test("patches change a status alone, and only of the version that they name", async () => {
	await using hub = await startHub();
	using login = loginTo(hub);
	const { objects } = login;
	await objects.create(POLICY, { spec: { config: { enableOutCluster: true } } });
	const conditions = [{ type: "Accepted", status: "True", reason: "Accepted", message: "" }];
	const body = { status: { conditions } };
	const patched = await objects.patch(POLICY, { type: "merge", body, subresource: "status" });
	expect([at(patched, "status", "conditions"), at(patched, "spec", "config", "enableOutCluster")]).toEqual([
		conditions,
		true,
	]);
	const metadata = { resourceVersion: "1", annotations: { a: "b" } };
	expect(isConflict(await errorOf(objects.patch(POLICY, { type: "merge", body: { metadata } })))).toBe(true);
	const annotations = [{ op: "add", path: "/metadata/annotations", value: { "example.com/a": "1" } }];
	const jsonPatched = await objects.patch(POLICY, { type: "json", body: annotations });
	expect(at(jsonPatched, "metadata", "annotations")).toEqual({ "example.com/a": "1" });
	expect((await objects.list(POLICY)).map((object) => metaOf(object, "name"))).toEqual(["p1"]);
});

test("what the server refuses is an error with its reason", async () => {
	await using hub = await startHub({ users: { edge: { credentials: "token", rules: [] } } });
	using login = loginTo(hub, "edge");
	const { objects } = login;
	const refused = await errorOf(objects.create(LEASE, { spec: {} }));
	expect(isForbidden(refused)).toBe(true);
	expect(refused.message).toStartWith("Cannot create Lease default/leader: 403 leases.coordination.k8s.io");
	hub.setRules("edge", [{ verbs: ["get", "create"], groups: ["coordination.k8s.io"], resources: ["leases"] }]);
	hub.inject({ verb: "create" }, { kind: "error", error: tooManyRequests(2) }, 1);
	expect((await errorOf(objects.create(LEASE, { spec: {} }))).retryAfter).toBe(2000);
	hub.inject({ verb: "create" }, { kind: "error", error: serverError(500, "boom") }, 1);
	expect((await errorOf(objects.create(LEASE, { spec: {} }))).status).toBe(500);
	await objects.create(LEASE, { spec: {} });
});

test("credentials that are not accepted are read once more", async () => {
	await using hub = await startHub({ users: { edge: { credentials: "token", groups: ["system:masters"] } } });
	using login = loginTo(hub, "edge");
	await login.objects.create(LEASE, { spec: {} });
	hub.rotateCredentials("edge");
	const refused = await errorOf(login.objects.get(LEASE));
	expect([refused.status, hub.count({ user: "" })]).toEqual([401, 2]);
});
