// Requests to a test hub, made as the product makes them.

import { createCredentials } from "../../src/hub/login/credentials.ts";
import { ONE_WAY } from "../../src/hub/own_way.ts";
import { type Api, createApi } from "../../src/hub/request/api.ts";
import { createObjects, type Objects } from "../../src/hub/request/objects.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { temporaryFolder } from "./follow_hub.ts";
import type { TestHub } from "./hub/hub.ts";
import { recordingLog } from "./log.ts";

export interface Login extends Disposable {
	readonly api: Api;
	readonly objects: Objects;
}

/** Until it is disposed. */
export function loginTo(hub: Pick<TestHub, "kubeconfig">, user = "admin"): Login {
	const folder = temporaryFolder();
	const files = [folder.write("config", hub.kubeconfig({ user }))];
	const stop = new AbortController();
	const { signal } = stop;
	const source = { kind: "kubeconfig", files } as const;
	const credentials = createCredentials({ source, proxies: {}, log: recordingLog(), clock: systemClock, signal });
	const api = createApi({ credentials, clock: systemClock, userAgent: "balancing/test", ownWay: ONE_WAY });
	return {
		api,
		objects: createObjects(api, signal),
		[Symbol.dispose]() {
			stop.abort();
			folder[Symbol.dispose]();
		},
	};
}
