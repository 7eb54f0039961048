// The short names of errors.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { errorCode } from "./error_code.ts";

test("errorCode() is the system's name, else the message, else the thing as text", () => {
	let caught: unknown;
	try {
		readFileSync("/nonexistent/file");
	} catch (error) {
		caught = error;
	}
	expect(errorCode(caught)).toBe("ENOENT");
	expect(errorCode(new Error("broken"))).toBe("broken");
	expect(errorCode(Object.assign(new Error("broken"), { code: 7 }))).toBe("broken");
	expect(errorCode("text")).toBe("text");
});
