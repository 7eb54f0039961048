// apt's lists of archives, as far as it takes to ask the distribution's own for sources. Pure.

/** One archive: `deb-src options uri suite components`. */
interface Archive {
	/** `[signed-by=...]`, or empty. */
	readonly options: string;
	readonly uri: string;
	readonly suites: readonly string[];
}

/** A file of /etc/apt: its name says which of the two formats it has. */
export interface ListFile {
	readonly name: string;
	readonly text: string;
}

/** Debian's and Ubuntu's own archives end like this, and their mirrors and caches, and snapshot.debian.org. */
const OWN_ARCHIVE = /\/(debian|debian-security|ubuntu|ubuntu-ports)(\/|$)/;

function words(text: string | undefined): readonly string[] {
	return (text ?? "").split(/\s+/).filter((word) => word !== "");
}

/** The fields of a stanza by their names in lower case; a line that begins with a blank continues a field. */
function stanzaFields(stanza: string): ReadonlyMap<string, string> {
	const lines = stanza
		.replaceAll(/^#.*\n?/gm, "")
		.replaceAll(/\n[ \t]+/g, " ")
		.split("\n");
	const pairs = lines.map((line) => /^([A-Za-z-]+):\s*(.*)$/.exec(line)).filter((match) => match !== null);
	return new Map(pairs.map(([, name = "", value = ""]) => [name.toLowerCase(), value.trim()]));
}

/** The stanzas of a deb822 `.sources` file. */
function deb822Archives(text: string): readonly Archive[] {
	return text
		.split(/\n\s*\n/)
		.map(stanzaFields)
		.filter((fields) => fields.get("enabled")?.toLowerCase() !== "no")
		.flatMap((fields) => {
			const key = fields.get("signed-by");
			// A key written into the stanza itself does not fit on one line; apt's trusted keys then have to do.
			const options = key?.startsWith("/") ? `[signed-by=${words(key).join(",")}]` : "";
			return words(fields.get("uris")).map((uri) => ({ options, uri, suites: words(fields.get("suites")) }));
		});
}

/** The lines of a one-line-style `.list` file. */
function lineArchives(text: string): readonly Archive[] {
	const matches = text.split("\n").map((line) => /^\s*deb(?:-src)?\s+(\[[^\]]*\])?\s*(\S+)\s+(\S+)/.exec(line));
	return matches
		.filter((match) => match !== null)
		.map(([, bracket = "", uri = "", suite = ""]) => {
			const key = /signed-by=([^\s\]]+)/.exec(bracket)?.[1];
			return { options: key === undefined ? "" : `[signed-by=${key}]`, uri, suites: [suite] };
		});
}

function linesOf({ options, uri, suites }: Archive): readonly string[] {
	return suites
		.filter((suite) => !suite.includes("backports") && !suite.endsWith("/"))
		.map((suite) => ["deb-src", options, uri, suite, "main"].filter((word) => word !== "").join(" "));
}

/** Source lines for the distribution's own archives; not its backports, which would change versions under us. */
export function sourceLines(lists: readonly ListFile[]): readonly string[] {
	const archives = lists.flatMap(({ name, text }) =>
		name.endsWith(".sources") ? deb822Archives(text) : lineArchives(text),
	);
	return [...new Set(archives.filter(({ uri }) => OWN_ARCHIVE.test(uri)).flatMap(linesOf))].sort();
}
