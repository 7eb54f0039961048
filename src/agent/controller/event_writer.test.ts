// Events at a hub over TLS: the same one counts, and a flood is cut.

import { expect, test } from "bun:test";
import { loginTo } from "../../../test/support/api.ts";
import { startHub } from "../../../test/support/hub/hub.ts";
import { at } from "../../../test/support/hub/object.ts";
import { createJumpClock } from "../../../test/support/jump_clock.ts";
import { recordingLog } from "../../../test/support/log.ts";
import { createEventWriter, type EventFacts } from "./event_writer.ts";

function facts(more: Partial<EventFacts> = {}, name = "db"): EventFacts {
	const place = { kind: "BalancingPolicy", apiVersion: "balancing.elf.io/v1beta1", resource: "balancingpolicies" };
	return { regarding: { ...place, name, uid: "u-1" }, type: "Warning", reason: "NoBackends", note: "a fact", ...more };
}

test("the same Event is one that counts, also after another process wrote it", async () => {
	await using hub = await startHub();
	using login = loginTo(hub);
	const { objects } = login;
	for (const identity of ["one", "two"]) {
		const writer = createEventWriter({ objects, identity, clock: createJumpClock(), log: recordingLog() });
		await writer.emit(facts());
		await writer.emit(facts());
	}
	await createEventWriter({ objects, identity: "x".repeat(200), clock: createJumpClock(), log: recordingLog() }).emit(
		facts({ note: "n".repeat(2000) }, "n".repeat(253)),
	);
	const [first, long] = hub.list("events.events.k8s.io");
	expect([at(first, "series", "count"), at(first, "reportingInstance"), at(first, "regarding", "uid")]).toEqual([
		4,
		"one",
		"u-1",
	]);
	expect(first?.metadata.namespace).toBe("default");
	expect([String(at(long, "note")).length, String(at(long, "reportingInstance")).length]).toEqual([1024, 128]);
	expect(long?.metadata.name.length).toBeLessThan(254);
});

test("a flood is cut after fifty, and goes on by one in two seconds", async () => {
	await using hub = await startHub();
	using login = loginTo(hub);
	const clock = createJumpClock();
	const log = recordingLog();
	const writer = createEventWriter({ objects: login.objects, identity: "one", clock, log });
	for (let number = 0; number < 55; number++) await writer.emit(facts({ note: `${number}` }));
	expect(hub.list("events.events.k8s.io").length).toBe(50);
	clock.jump(4000);
	for (let number = 100; number < 110; number++) await writer.emit(facts({ note: `${number}` }));
	expect(hub.list("events.events.k8s.io").length).toBe(52);
	expect(log.messages().filter((line) => line === "info An Event is left out: there are too many").length).toBe(13);
});

test("a refusal is told once, and stops nobody", async () => {
	await using hub = await startHub({ users: { edge: { credentials: "token", rules: [] } } });
	using login = loginTo(hub, "edge");
	const log = recordingLog();
	const writer = createEventWriter({ objects: login.objects, identity: "one", clock: createJumpClock(), log });
	for (const note of ["a", "b", "c"]) await writer.emit(facts({ note }));
	expect(log.messages()).toEqual(["warn Cannot write Events"]);
});
