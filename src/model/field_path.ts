// The path of a field as text and back: a Problem names it, a reader of files finds its line.

/** Keys of objects and indexes of lists, from the object's root. */
export type FieldPath = readonly (string | number)[];

const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const STEP = /\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;

/** `spec.ports[0].port`; a key that is no plain word is quoted: `metadata.labels["a.b/c"]`. */
export function formatField(path: FieldPath): string {
	let text = "";
	for (const step of path) {
		if (typeof step === "number") text += `[${step}]`;
		else if (PLAIN.test(step)) text += text === "" ? step : `.${step}`;
		else text += `[${JSON.stringify(step)}]`;
	}
	return text;
}

/** The inverse of `formatField`; what does not look like a path ends it. */
export function parseField(text: string): FieldPath {
	const path: (string | number)[] = [];
	STEP.lastIndex = 0;
	for (let match = STEP.exec(text); match !== null; match = STEP.exec(text)) {
		const [, word, index, quoted] = match;
		if (word !== undefined) path.push(word);
		else if (index !== undefined) path.push(Number(index));
		else path.push(String(JSON.parse(quoted ?? '""')));
	}
	return path;
}
