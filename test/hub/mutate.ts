// Mutations under a seed: the same seed gives the same documents.

import type { Random } from "../support/random.ts";

function below(random: Random, limit: number): number {
	return Math.floor(random() * limit);
}

function pick<T>(random: Random, from: readonly T[]): T {
	const found = from[below(random, from.length)];
	if (found === undefined && from.length === 0) throw new Error("Nothing to pick from");
	return found as T;
}

const SNIPPETS: readonly string[] = [
	..."{}[]:,-?&*!|>'\"%@`#\\\n\t\r \0\u0085\u2028\ufeff\ud800~<=0aé",
	"\n---\n",
	"\n...\n",
	"---",
	"- ",
	"? ",
	"<<: *labels\n",
	"*a",
	"&a ",
	"&a [*a, *a]",
	"!!binary ",
	"!!js/function ",
	"%YAML 1.1\n",
	"null",
	"__proto__: {polluted: yes}\n",
	'"constructor": {"prototype": {"polluted": 1}},',
	"kind: List\n",
	"items:\n- ",
	"apiVersion: v1\n",
	"99999999999999999999",
	"-1",
	"0x50",
	".nan",
	"[".repeat(300),
	"- ".repeat(300),
	"{a: ".repeat(300),
	"a".repeat(5000),
	"10.0.0.1",
	"fe80::1%eth0",
];

/** An edit of a text, now and then several: cut, doubled, moved, overwritten or with something thrown in. */
export function mutateText(text: string, random: Random): string {
	// Two edits leave little that is YAML at all.
	let mutated = text;
	for (let edits = random() < 0.8 ? 1 : 1 + below(random, 4); edits > 0; edits--) mutated = editText(mutated, random);
	return mutated;
}

function editText(text: string, random: Random): string {
	const from = below(random, text.length + 1);
	const to = Math.min(text.length, from + below(random, random() < 0.8 ? 6 : 300));
	const copied = below(random, text.length + 1);
	const snippet = random() < 0.5 ? pick(random, SNIPPETS) : text.slice(copied, copied + below(random, 80));
	const kind = random();
	if (kind < 0.25) return text.slice(0, from) + text.slice(to);
	if (kind < 0.6) return text.slice(0, from) + snippet + text.slice(from);
	if (kind < 0.95) return text.slice(0, from) + snippet + text.slice(to);
	return text.slice(0, from);
}

/** Some bytes of a text overwritten with any bytes, so that it may not even be UTF-8. */
export function mutateBytes(text: string, random: Random): Uint8Array {
	const bytes = new TextEncoder().encode(text);
	for (let edits = 1 + below(random, 8); edits > 0 && bytes.length > 0; edits--) {
		bytes[below(random, bytes.length)] = below(random, 256);
	}
	return random() < 0.2 ? bytes.slice(0, below(random, bytes.length)) : bytes;
}

function junk(random: Random): unknown {
	return pick<() => unknown>(random, [
		() => null,
		() => undefined,
		() => true,
		() => "",
		() => 0,
		() => -1,
		() => 80.5,
		() => 65_536,
		() => 2 ** 60,
		() => Number.NaN,
		() => Number.POSITIVE_INFINITY,
		() => [],
		() => ({}),
		() => [[[[]]]],
		() => "None",
		() => "10.0.0.1",
		() => "::ffff:10.0.0.1",
		() => "0.0.0.0",
		() => "8080",
		() => "a b\n\0\ud800",
		() => "x".repeat(20_000),
		() =>
			JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": null}, "toString": 1, "length": -1}'),
		() =>
			Array.from({ length: 300 }, (_, index) => ({ name: `p${index}`, port: index, addresses: [`10.0.0.${index}`] })),
		() => nested(below(random, 5000)),
		() => new Date(0),
		() => new Map([["a", 1]]),
		() => 10n,
	])();
}

function nested(depth: number): unknown {
	let value: unknown = {};
	for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
	return value;
}

type Parent = Record<string, unknown> | unknown[];

/** A copy of an object with some of its fields replaced, removed, doubled, renamed or put elsewhere. */
export function mutateObject(object: unknown, random: Random): unknown {
	const copy: unknown = structuredClone(object);
	for (let edits = 1 + below(random, 4); edits > 0; edits--) {
		const parents = parentsIn(copy);
		if (parents.length === 0) return junk(random);
		edit(pick(random, parents), parents, random);
	}
	return random() < 0.01 ? junk(random) : copy;
}

function edit(parent: Parent, parents: readonly Parent[], random: Random): void {
	// A parent in itself makes a circle, as YAML aliases might.
	const value = random() < 0.8 ? junk(random) : pick(random, parents);
	if (Array.isArray(parent)) {
		const at = below(random, parent.length + 1);
		const kind = random();
		if (kind < 0.5) parent[at] = value;
		else if (kind < 0.7) parent.splice(at, 1);
		else parent.push(parent[at]);
		return;
	}
	const keys = Object.keys(parent);
	const key =
		keys.length > 0 && random() < 0.9
			? pick(random, keys)
			: pick(random, ["name", "port", "__proto__", "constructor", "", "protocol"]);
	// As JSON.parse does it: a key __proto__ is a key.
	if (random() < 0.75)
		Object.defineProperty(parent, key, { value, configurable: true, enumerable: true, writable: true });
	else delete parent[key];
}

function parentsIn(value: unknown): Parent[] {
	const found: Parent[] = [];
	const open: unknown[] = [value];
	for (let next = open.pop(); found.length < 200 && (next !== undefined || open.length > 0); next = open.pop()) {
		if (typeof next !== "object" || next === null || next instanceof Date || next instanceof Map) continue;
		found.push(next as Parent);
		open.push(...Object.values(next));
	}
	return found;
}
