// What most files of kernel tests begin with: a lab, the programs on its cgroup, and the end of both.

import { afterAll, setDefaultTimeout } from "bun:test";
import { datapath, type TestDatapath, type TestSettings } from "./datapath.ts";
import { type Lab, lab } from "./lab.ts";

/** For the whole file, to be awaited at its top. No test there is about time; a busy machine may take long. */
export async function programLab(
	settings?: TestSettings,
): Promise<{ readonly place: Lab; readonly bpf: TestDatapath }> {
	setDefaultTimeout(60_000);
	const place = await lab();
	const bpf = datapath(place.cgroup.path, settings);
	afterAll(() => {
		bpf[Symbol.dispose]();
		place[Symbol.dispose]();
	});
	return { place, bpf };
}
