// Field paths as text and back.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type FieldPath, formatField, parseField } from "./field_path.ts";

test.each<[FieldPath, string]>([
	[[], ""],
	[["spec"], "spec"],
	[["spec", "ports", 0, "port"], "spec.ports[0].port"],
	[["metadata", "labels", "kubernetes.io/service-name"], 'metadata.labels["kubernetes.io/service-name"]'],
	[["a", '"]\\', "b"], 'a["\\"]\\\\"].b'],
	[["items", 12], "items[12]"],
])("formatField() writes %j as %s", (path, text) => {
	expect(formatField(path)).toBe(text);
	expect(parseField(text)).toEqual(path);
});

test("parseField() undoes formatField()", () => {
	const steps = fc.oneof(
		fc.string({ unit: "binary" }),
		fc.nat({ max: 1_000_000 }),
		fc.constantFrom("spec", "a-b", "__proto__", "0", "a.b"),
	);
	fc.assert(
		fc.property(fc.array(steps, { maxLength: 6 }), (path) => expect(parseField(formatField(path))).toEqual(path)),
		{ numRuns: 3000 },
	);
});

test("parseField() takes what it understands of any text", () => {
	fc.assert(fc.property(fc.string(), (text) => expect(parseField(text)).toBeArray()));
});
