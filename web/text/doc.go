// Package text has the words of the web pages in every language that a site speaks.
//
// A language is a catalogue, a TOML file named by its tag (BCP 47): en.toml and de.toml are built in and
// complete, further ones come from the site, and lack what they lack: each missing text is taken from
// English, key by key. A file of the site for a language that is built in replaces single texts of it.
//
// # Catalogues
//
// A key is a section and a name, `files.upload`. A text has placeholders in braces; where the number in
// the placeholder {n} decides about the word beside it, the text is a table of the plural forms of CLDR:
//
//	[files]
//	upload   = "Upload"
//	moved    = "{name} was moved to {folder}."
//	selected = {one = "{n} file is selected", other = "{n} files are selected"}
//
// The arguments of a call stand in the order in which the English text first names its placeholders, of a
// table that of its form `other`; another language may use them in any order, and needs not use them all.
// Numbers are written as the language writes them.
//
// Where the English text has markup, and only there, others may have it too: strong, em, code, br, and
// a with nothing but href. An address is one of this server, or a placeholder. Such a text is used with H,
// which escapes all arguments but template.HTML; every other is used with T, and escaped by the page.
//
// What keys of the configuration are stands in English with the keys themselves, and not in a catalogue of
// English. The others have it in the sections config (what stands at the top of the file, and, by in_ and the
// section's name, the tables and rules) and config_web, config_ftp, …; braces are no placeholders there.
//
// # Use
//
// In a template `{{t "files.upload"}}`, `{{t "files.selected" .Count}}`, or, with markup, `{{h "files.gone"
// .Name}}`; each language has templates of its own, so that a text without arguments is part of the template.
// In Go code `v.T("files.moved", name, folder)` of the visit. A fault of a catalogue is told with its place
// (Fault), and the catalogue left out.
package text
