// Who has to say that an object is gone, before it is gone.

import { expect, test } from "bun:test";
import { createAbsences } from "./absences.ts";

/** `D`: the watch says deleted; `C`, `S`: a list of the cloud, of the store, lacks it; `H`: it is there. The last one decides. */
function judge(story: string, isLarge: boolean): string {
	const absences = createAbsences();
	let last = "";
	for (const event of story) {
		if (event === "D") absences.announce("a");
		else if (event === "H") absences.end("a");
		else {
			const { gone, pending, doubted } = absences.judge(["a"], { proved: event === "C", isLarge });
			last = [gone.length > 0 && "gone", pending && "pending", doubted > 0 && "doubted"].filter(Boolean).join();
		}
	}
	return last;
}

test.each([
	// One witness.
	["C", "pending", "pending,doubted"],
	["S", "doubted", "doubted"],
	["SSSSSS", "doubted", "doubted"],
	// Two.
	["CC", "gone", "gone"],
	["DC", "gone", "pending,doubted"],
	["DS", "pending", "doubted"],
	["DSS", "gone", "doubted"],
	["DSSSS", "gone", "doubted"],
	["DCC", "gone", "gone"],
	["CSC", "gone", "gone"],
	["CS", "doubted", "doubted"],
	["SSC", "pending", "pending,doubted"],
	["CDC", "gone", "gone"],
	// It was there in between.
	["CHC", "pending", "pending,doubted"],
	["DHC", "pending", "pending,doubted"],
	["DSHS", "doubted", "doubted"],
])("absences: %s is %j, and %j if it is much", (story, alone, amongMany) => {
	expect(judge(story, false)).toBe(alone);
	expect(judge(story, true)).toBe(amongMany);
});

test("judge() counts, and decides each object on its own", () => {
	const absences = createAbsences();
	absences.announce("b");
	expect(absences.judge(["a", "b", "c"], { proved: true, isLarge: false })).toEqual({
		gone: ["b"],
		pending: true,
		doubted: 0,
	});
	absences.end("b");
	absences.end("c");
	expect(absences.judge(["a", "c"], { proved: true, isLarge: false })).toEqual({
		gone: ["a"],
		pending: true,
		doubted: 0,
	});
	expect(absences.judge([], { proved: false, isLarge: true })).toEqual({ gone: [], pending: false, doubted: 0 });
});
