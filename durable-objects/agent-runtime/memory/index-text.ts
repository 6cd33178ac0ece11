import type { Sql } from "../sql.ts";

/** The index, and the tables it keeps itself in: derived from `passage`, and no part of an export. */
export const TEXT_INDEX = "passage_text";
export const TEXT_INDEX_TABLES = ["", "_data", "_idx", "_docsize", "_config"].map(
  (part) => `${TEXT_INDEX}${part}`,
);

/**
 * The index holds no text of its own, but words and where they stand; triggers keep it. What is
 * deleted leaves it at once and not at the next merge (`secure-delete`), so that what was forgotten
 * cannot be found in it.
 *
 * @source https://www.sqlite.org/fts5.html §4.4.3 (external content), §6.11 (secure-delete)
 */
const MAKE = [
  `CREATE VIRTUAL TABLE passage_text USING fts5(title, text, content='passage',
     content_rowid='n', tokenize='porter unicode61 remove_diacritics 2')`,
  "INSERT INTO passage_text (passage_text, rank) VALUES ('secure-delete', 1)",
  `CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN
     INSERT INTO passage_text (rowid, title, text) VALUES (new.n, new.title, new.text);
   END`,
  `CREATE TRIGGER passage_removed AFTER DELETE ON passage BEGIN
     INSERT INTO passage_text (passage_text, rowid, title, text)
       VALUES ('delete', old.n, old.title, old.text);
   END`,
  // What came before there was an index, by an import for example.
  "INSERT INTO passage_text (passage_text) VALUES ('rebuild')",
];

/** Make the index unless it is there; before anything is added to or searched in `passage`. */
export function ensureTextIndex(sql: Sql): void {
  if (sql.one("SELECT 1 FROM sqlite_schema WHERE name = 'passage_text'")) return;
  sql.transaction(() => {
    for (const statement of MAKE) sql.run(statement);
  });
}
