// The law of the house: who may import whom, and what a source file looks like.

import { dirname, normalize } from "node:path";
import { codeOf, importsOf } from "./source_text.ts";

/** A file by its path from the top of the project. */
export interface SourceFile {
	readonly path: string;
	readonly text: string;
}

/** ARCHITECTURE.md §3. A room is a folder of src/; "config", "main" and the like are files. */
const LAW: Readonly<Record<string, readonly string[]>> = {
	lib: [],
	"bun-ffi-libbpf": [],
	version: [],
	embedded: [],
	config: ["model", "lib"],
	model: ["lib"],
	plan: ["model", "lib"],
	hub: ["model", "lib"],
	datapath: ["bun-ffi-libbpf", "plan", "model", "lib"],
	announce: ["plan", "model", "lib"],
	observe: ["plan", "model", "lib"],
	admission: ["plan", "model", "lib"],
	agent: [
		"admission",
		"announce",
		"bun-ffi-libbpf",
		"config",
		"datapath",
		"hub",
		"lib",
		"model",
		"observe",
		"plan",
		"version",
	],
	cli: [
		"admission",
		"agent",
		"announce",
		"bun-ffi-libbpf",
		"config",
		"datapath",
		"hub",
		"lib",
		"model",
		"observe",
		"plan",
		"version",
	],
	main: ["cli", "config", "lib", "version"],
};

/** The one file of the package that knows Bun; Deno's twin would stand beside it. */
const FFI = "src/bun-ffi-libbpf/ffi.ts";

/** A name that contains such a word, or is one, says nothing about what is in there. */
const NAMELESS = /(?:^|[/_])(?:utils?|helpers?|managers?|handlers?|misc)(?=[/_.])|(?:^|\/)(?:data|common)(?=[/.])/;

/** What makes a plan depend on anything but its arguments; Date.parse and Date.UTC do not. */
const IMPURE =
	/\b(?:Date(?!\.(?:parse|UTC)\b)|Math\.random|await|async|console|performance|crypto|process|globalThis|setTimeout|setInterval)\b/;

const TOP = new Set(
	"package.json tsconfig.json bunfig.toml src bpf scripts edge test README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md LICENSE bun.lock".split(
		" ",
	),
);

/** Everything that breaks the law, as `path: what`. */
export function findViolations(files: readonly SourceFile[]): readonly string[] {
	return files.flatMap((file) =>
		[...openingOf(file), ...(isTypeScript(file) ? [...shapeOf(file), ...dependenciesOf(file)] : [])].map(
			(what) => `${file.path}: ${what}`,
		),
	);
}

/** Entries of the project's top folder that do not belong there. */
export function findStrangers(entries: readonly string[]): readonly string[] {
	return entries.filter((entry) => !entry.startsWith(".") && !TOP.has(entry));
}

function openingOf({ path, text }: SourceFile): readonly string[] {
	const lines = text.split("\n").filter((line, number) => !(number === 0 && line.startsWith("#!")));
	if (lines[0] === "/* SPDX-License-Identifier: Apache-2.0 */") lines.shift();
	const comment = /\.[ch]$/.test(path) ? /^\/\*/ : /\.ts$/.test(path) ? /^\/\/ \S/ : /^# \S/;
	if (!comment.test(lines[0] ?? "")) return ["does not open with a comment on its duty"];
	return path.endsWith(".ts") && lines[1]?.startsWith("//") ? ["opens with more than one line of comment"] : [];
}

function shapeOf({ path, text }: SourceFile): readonly string[] {
	const found: string[] = [];
	const lines = text.trimEnd().split("\n").length;
	if (!isTest(path) && lines > 300) found.push(`has ${lines} lines (300 at most)`);
	if (!path.endsWith(".d.ts") && /\bexport\s+default\b|\bas\s+default\b/.test(codeOf(text)))
		found.push("exports a default");
	const nameless = path.startsWith("src/") ? NAMELESS.exec(path.slice("src".length)) : null;
	if (nameless !== null) found.push(`is named ${nameless[0].slice(1)}, which says nothing`);
	return found;
}

function dependenciesOf({ path, text }: SourceFile): readonly string[] {
	// Folders of src/ only, and not the scripts that build one of them.
	if (!path.startsWith("src/") || path.startsWith("src/bun-ffi-libbpf/native/")) return [];
	const room = roomOf(path);
	if (LAW[room] === undefined) return [`is in ${room}, for which there is no law`];
	const imported = importsOf(text).flatMap((specifier) => judgeImport(path, room, specifier));
	return isTest(path) ? imported : [...imported, ...judgeWords(path, room, codeOf(text))];
}

function judgeImport(path: string, room: string, specifier: string): readonly string[] {
	if (specifier === "bun:ffi") return room === "bun-ffi-libbpf" ? [] : ["imports bun:ffi"];
	if (/^bun(?::|$)/.test(specifier)) return isTest(path) ? [] : [`imports ${specifier}, which only Bun has`];
	if (specifier === "bun-ffi-libbpf") return judgeRoom(room, specifier);
	if (specifier.startsWith(".")) return judgePath(path, room, normalize(`${dirname(path)}/${specifier}`));
	const impure = room === "plan" && specifier.startsWith("node:") && !isTest(path);
	return impure ? [`imports ${specifier} into the plan`] : [];
}

function judgePath(path: string, room: string, target: string): readonly string[] {
	const allowed = [
		"dist/",
		...(isTest(path) ? ["test/support/"] : []),
		...(room === "version" ? ["package.json"] : []),
	];
	if (!target.startsWith("src/")) {
		return allowed.some((place) => target.startsWith(place)) ? [] : [`imports ${target}, outside src/`];
	}
	const other = roomOf(target);
	if (other !== "bun-ffi-libbpf" || room === other) return judgeRoom(room, other);
	return ["reaches into bun-ffi-libbpf instead of importing the package"];
}

function judgeRoom(room: string, target: string): readonly string[] {
	const allowed = LAW[room] ?? [];
	if (room === target || allowed.includes(target)) return [];
	return [`imports ${target} (${room} may: ${allowed.join(", ") || "nothing"})`];
}

function judgeWords(path: string, room: string, code: string): readonly string[] {
	const found: string[] = [];
	if (path !== "src/config.ts" && /\bprocess\.env\b|\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from\b/.test(code))
		found.push("reads process.env");
	if (path !== FFI && /\bBun\./.test(code)) found.push("uses Bun, which only Bun has");
	const impure = room === "plan" ? IMPURE.exec(code) : null;
	return impure === null ? found : [...found, `is not pure: ${impure[0]}`];
}

function roomOf(path: string): string {
	const [, first = "", ...rest] = path.split("/");
	return rest.length === 0 ? first.replace(/(?:\.test)?(?:\.d)?\.ts$/, "") : first;
}

function isTypeScript({ path }: SourceFile): boolean {
	return path.endsWith(".ts");
}

function isTest(path: string): boolean {
	return path.endsWith(".test.ts") || /(?:^|\/)test\//.test(path);
}
