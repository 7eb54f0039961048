// A cgroup as a kubelet makes it for a pod, below one of a test's own.

import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { untilSync } from "./wait.ts";

export interface PodCgroup extends Disposable {
	/** Of the pod. */
	readonly path: string;
	readonly id: bigint;
	/** Of a container in it: where processes go. */
	readonly container: string;
}

/** `folder` of these: `kubepods.slice/kubepods-pod12.slice`. Whoever is in it when it goes is killed; so are the folders above it. */
export function podCgroup(parent: string, folder: string): PodCgroup {
	const path = `${parent}/${folder}`;
	const container = `${path}/cri-containerd-0a1b2c.scope`;
	mkdirSync(container, { recursive: true });
	return {
		path,
		id: statSync(path, { bigint: true }).ino,
		container,
		[Symbol.dispose]() {
			writeFileSync(`${path}/cgroup.kill`, "1");
			untilSync(`empty: ${path}`, () => readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 0"));
			rmdirSync(container);
			rmdirSync(path);
			for (let at = dirname(path); at !== parent; at = dirname(at)) {
				try {
					rmdirSync(at);
				} catch {
					// Another pod's, too.
					return;
				}
			}
		},
	};
}
