// Cases that meet: one action for all, and none waits for who is gone.

import { expect, test } from "bun:test";
import { createMeeting } from "./meeting.ts";

test("together() acts once, when the last one has come, and again for the next meeting", async () => {
	const meeting = createMeeting(2);
	const seen: string[] = [];
	const member = async (name: string) => {
		seen.push(`${name} comes`);
		await meeting.together(async () => void seen.push("first"));
		seen.push(`${name} goes on`);
		await meeting.together(async () => void seen.push("second"));
	};
	await Promise.all([member("a"), member("b")]);
	expect(seen).toEqual(["a comes", "b comes", "first", "a goes on", "b goes on", "second"]);
});

test("leave() lets the others go on", async () => {
	const meeting = createMeeting(2);
	const seen: string[] = [];
	const waiting = meeting.together(async () => void seen.push("acted"));
	expect(seen).toEqual([]);
	meeting.leave();
	await waiting;
	expect(seen).toEqual(["acted"]);
});

test("together() rejects for all if the action fails", async () => {
	const meeting = createMeeting(2);
	const fail = () => meeting.together(() => Promise.reject(new Error("x")));
	const settled = await Promise.allSettled([fail(), fail()]);
	expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
