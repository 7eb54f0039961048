// inotify on a changing set of folders, through node:fs.

import { type FSWatcher, statSync, watch } from "node:fs";
import { basename } from "node:path";
import type { Log } from "../../lib/log.ts";
import type { Places } from "./watch_places.ts";

export interface FolderWatch extends Disposable {
	/** Watches these places and no others; true if that is another set of folders than before. */
	update(places: Places): boolean;
	/** False if some folder cannot be watched, and someone has to look now and then. */
	isComplete(): boolean;
}

interface Watched {
	readonly watcher: FSWatcher;
	/** A folder that was replaced has its old path, another time of birth, and maybe the very same inode number. */
	readonly identity: string;
}

/** Calls `onChange` when a name of interest changes in any of the folders. */
export function createFolderWatch(onChange: () => void, log: Log): FolderWatch {
	const watched = new Map<string, Watched>();
	let places: Places = new Map();
	let complained = false;

	function close(folder: string): void {
		watched.get(folder)?.watcher.close();
		watched.delete(folder);
	}

	function hear(folder: string, name: string | null): void {
		const names = places.get(folder);
		// The end of the folder itself comes with its own name, or with none. Its watch is dead then.
		const ended = name === null || name === basename(folder);
		if (ended) close(folder);
		if (ended || names === "all" || names?.has(name) === true) onChange();
	}

	/** True if a watch was opened. */
	function open(folder: string): boolean {
		const identity = identityOf(folder);
		if (watched.get(folder)?.identity === identity) return false;
		close(folder);
		const watcher = watch(folder, (_, name) => hear(folder, name));
		watcher.on("error", () => {
			close(folder);
			onChange();
		});
		watched.set(folder, { watcher, identity });
		return true;
	}

	function tryOpen(folder: string): boolean {
		try {
			return open(folder);
		} catch (error) {
			close(folder);
			if (!complained)
				log.warn({ folder, err: error }, "Cannot watch a folder of manifests, looking now and then instead");
			complained = true;
			return false;
		}
	}

	return {
		update(next) {
			places = next;
			const gone = [...watched.keys()].filter((folder) => !next.has(folder));
			gone.forEach(close);
			const opened = [...next.keys()].filter(tryOpen);
			return gone.length > 0 || opened.length > 0;
		},
		isComplete: () => [...places.keys()].every((folder) => watched.has(folder)),
		[Symbol.dispose]() {
			for (const folder of [...watched.keys()]) close(folder);
		},
	};
}

function identityOf(folder: string): string {
	const { dev, ino, birthtimeNs } = statSync(folder, { bigint: true });
	return `${dev}:${ino}:${birthtimeNs}`;
}
