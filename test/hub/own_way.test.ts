// What a hub's requests tell of the way they took; which way that is, src/agent/own_way.ts says.

import { expect, test } from "bun:test";
import type { OwnWay, Way } from "../../src/hub/own_way.ts";
import { followHub, webService } from "../support/follow_hub.ts";
import { startHub } from "../support/hub/hub.ts";
import { forbidden } from "../support/hub/status.ts";
import { until } from "../support/wait.ts";

/** Writes down each try; one that fails by the usual way has another one, which has ten seconds. */
function recordedWay() {
	const told: string[] = [];
	let open = 0;
	const ownWay: OwnWay = {
		begin(target, way: Way | undefined) {
			open += 1;
			const title = way ?? "usual";
			told.push(`${title} ${target}`);
			return {
				patience: way === undefined ? undefined : 10_000,
				worked: () => void told.push(`${title} worked`),
				failed() {
					told.push(`${title} failed`);
					return way === undefined ? "untranslated" : undefined;
				},
				[Symbol.dispose]() {
					open -= 1;
				},
			};
		},
	};
	return { ownWay, told, open: () => open, has: (line: string) => told.includes(line) };
}

test("a try has worked when an answer begins, and is over then", async () => {
	await using server = await startHub();
	server.apply(webService("web"));
	const way = recordedWay();
	await using follower = followHub(server, { ownWay: way.ownWay });
	await follower.shows("default/kubernetes", "demo/web");
	expect(new Set(way.told)).toEqual(new Set([`usual ${server.url}`, "usual worked"]));
	expect(way.open()).toBe(0);
});

test("an answer that refuses has worked as well", async () => {
	await using server = await startHub();
	const way = recordedWay();
	server.inject({}, { kind: "error", error: forbidden(undefined, "no") });
	await using follower = followHub(server, { ownWay: way.ownWay });
	await until("refused", () => follower.problems().length > 0 || follower.log.length > 0);
	expect(way.has("usual worked")).toBe(true);
	expect(way.has("usual failed")).toBe(false);
});

test("where nobody answers the other way is tried at once, and the first error counts", async () => {
	await using server = await startHub();
	await server.stopAccepting();
	const way = recordedWay();
	await using follower = followHub(server, { ownWay: way.ownWay });
	await until("both ways tried", () => way.has("untranslated failed"));
	expect(way.told.slice(way.told.indexOf("usual failed")).join()).toContain(
		`untranslated ${server.url},untranslated failed`,
	);
	await until("a log line", () => follower.log.length > 0);
	expect(follower.log[0]).toContain("ECONNREFUSED");
	// Between two rounds there is the usual pause.
	expect(follower.clock.sleeps.some((time) => time >= 800 && time < 10_000)).toBe(true);
	await server.resumeAccepting();
	await follower.shows("default/kubernetes");
});

test("where nobody says anything the other way has the time that it asks for", async () => {
	await using server = await startHub();
	await server.stall();
	const way = recordedWay();
	await using follower = followHub(server, { ownWay: way.ownWay });
	await until("a try", () => way.told.length > 0);
	follower.clock.jump(30_000);
	await until("the other way", () => way.has(`untranslated ${server.url}`));
	expect(follower.clock.sleeps.some((time) => time > 9_000 && time <= 10_000)).toBe(true);
	follower.clock.jump(10_000);
	await until("its end", () => way.has("untranslated failed"));
	await until("a log line", () => follower.log.length > 0);
	expect(follower.log[0]).toContain("nothing was heard for 30 s");
});

test("a wrong peer is nobody", async () => {
	await using server = await startHub();
	const kubeconfig = server.kubeconfig();
	await server.rotateAuthority({ forgetOld: true });
	const way = recordedWay();
	await using _ = followHub(server, { ownWay: way.ownWay, kubeconfig });
	await until("the other way", () => way.has(`untranslated ${server.url}`));
	expect(way.has("usual worked")).toBe(false);
});

test("a stop is nobody's failure", async () => {
	await using server = await startHub();
	await server.stall();
	const way = recordedWay();
	{
		await using _ = followHub(server, { ownWay: way.ownWay });
		await until("a try", () => way.told.length > 0);
	}
	expect(way.has("usual failed")).toBe(false);
	expect(way.open()).toBe(0);
});
