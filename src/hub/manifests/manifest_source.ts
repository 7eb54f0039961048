// A path of manifests as a source of snapshots: one look at it at a time, whoever says when.

import { setImmediate as breathe } from "node:timers/promises";
import type { Cluster } from "../../model/cluster.ts";
import type { Problem } from "../../model/problem.ts";
import { createAssembler } from "./assemble.ts";
import { createFileStore, DOUBT } from "./file_store.ts";
import { hintFor, listManifests } from "./folder.ts";
import type { Manifest } from "./manifest_file.ts";

/** What a look gave. */
export interface Sight {
	/** The snapshot to go by; undefined as long as the path has never been there. */
	readonly cluster: Cluster | undefined;
	/** The errno's name if the path is not there now. */
	readonly missing: string | undefined;
	/** When to look again though nothing happens, in the clock's milliseconds. */
	readonly again: number | undefined;
	/** Some file seems half-written. */
	readonly unsettled: boolean;
	/** Entries of the folder that are symbolic links. */
	readonly links: readonly string[];
	readonly files: number;
}

export interface ManifestSource {
	look(): Promise<Sight>;
}

/** `now` gives milliseconds; `ownNode` is what the host's own Node is called. */
export function createManifestSource(path: string, now: () => number, ownNode = ""): ManifestSource {
	const store = createFileStore({ now, breathe, ownNode });
	const assembler = createAssembler(ownNode);
	let manifests: readonly Manifest[] | undefined;
	let emptySince: number | undefined;

	/** Nothing is taken away while the path is gone: an unmounted volume is no wish. */
	function lookAtNothing(code: string): Sight {
		emptySince = undefined;
		const message = `Cannot read the path: ${code} (${hintFor(code)}); what was read before stays in force`;
		const problem: Problem = { object: path, source: path, reason: "Unreadable", message };
		const cluster = manifests === undefined ? undefined : assembler.assemble(manifests, [problem]);
		return { cluster, missing: code, again: undefined, unsettled: false, links: [], files: 0 };
	}

	/** Whether a folder that has just lost all of its files is to be doubted for a while. */
	function isDoubtful(files: number): boolean {
		if (files > 0 || manifests === undefined || manifests.length === 0) {
			emptySince = undefined;
			return false;
		}
		emptySince ??= now();
		return now() < emptySince + DOUBT;
	}

	return {
		async look() {
			const listing = await listManifests(path);
			if (listing.kind === "missing") return lookAtNothing(listing.code);
			const { files, problems } = listing;
			if (manifests !== undefined && isDoubtful(files.length)) {
				const cluster = assembler.assemble(manifests, []);
				return {
					cluster,
					missing: undefined,
					again: (emptySince ?? now()) + DOUBT,
					unsettled: true,
					links: [],
					files: 0,
				};
			}
			const { again, unsettled, ...look } = await store.look(files);
			manifests = look.manifests;
			const links = files.filter(({ isLink }) => isLink).map((file) => file.path);
			const cluster = assembler.assemble(manifests, problems);
			return { cluster, missing: undefined, again, unsettled, links, files: files.length };
		},
	};
}
