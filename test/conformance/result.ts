// What came of the rows, and the table of it.

import { table } from "../../src/lib/table.ts";
import type { Row } from "./row.ts";

export interface Result {
	readonly id: string;
	readonly title: string;
	readonly source: string;
	/** "" where nobody on this node can try it. */
	readonly family: string;
	readonly protocol: string;
	readonly verdict: "pass" | "fail" | "not applicable";
	/** Why not, or what is different from the original; "" of a plain pass. */
	readonly reason: string;
}

const HEAD = ["ID", "TITLE", "FAMILY", "PROTOCOL", "RESULT", "REASON"];

/** What a row comes to, without having been tried. */
export function expectedOf(row: Row): readonly Omit<Result, "verdict" | "reason">[] {
	const { trial, ...heading } = row;
	if ("notApplicable" in trial) return [{ ...heading, family: "", protocol: "" }];
	return trial.families.flatMap((family) => trial.protocols.map((protocol) => ({ ...heading, family, protocol })));
}

function cells({ id, title, family, protocol, verdict, reason }: Result): readonly string[] {
	return [id, title, family, protocol, verdict, reason];
}

export function resultsAsTable(results: readonly Result[]): string {
	return table(HEAD, results.map(cells));
}

export function countsOf(results: readonly Result[]): string {
	const count = (verdict: Result["verdict"]) => results.filter((one) => one.verdict === verdict).length;
	return `${count("pass")} passed, ${count("fail")} failed, ${count("not applicable")} not applicable`;
}

/** The rows of the page as it is published, without date and kernel. */
export function pageRows(results: readonly Result[]): readonly string[] {
	return results.map((one) => pageRow([...cells(one), one.source]));
}

function pageRow(columns: readonly string[]): string {
	return `| ${columns.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

export interface Circumstances {
	readonly kernel: string;
	readonly date: string;
}

/** test/conformance.md. */
export function pageOf(results: readonly Result[], { kernel, date }: Circumstances): string {
	return [
		"# Conformance",
		"",
		"What the Kubernetes network tests and kube-proxy demand of a Service, and what users of elf-io/balancing know of Services and policies, tried by real sockets of clients on a",
		"node (the host itself and its pods) and on a machine outside, against real agents on two of three nodes (network namespaces) and on that machine, which follow an API server.",
		"A source is a test or a rule of Kubernetes 1.36, or of elf-io/balancing v0.1.0 (its end-to-end cases B, S, P, R; its documents A); `own` is what we demand besides.",
		"Written by `bun run conformance --write`.",
		"",
		`Linux ${kernel}, ${date}: ${countsOf(results)}.`,
		"",
		pageRow([...HEAD, "SOURCE"]),
		pageRow([...HEAD, "SOURCE"].map(() => "---")),
		...pageRows(results),
		"",
	].join("\n");
}
