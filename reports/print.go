package reports

import (
	"io"
	"time"

	"ovbench/reports/pdf"
)

// subtitle stands below the title of documents.
const subtitle = "Evaluation report, made by ovbench from recorded results"

// writePDF writes runs as a document to print: what was asked and resolved, the scores, figures, panels, what failed,
// and how to measure again. Equal runs give equal bytes: its date is that of SOURCE_DATE_EPOCH, or else the end of
// the last run.
func writePDF(w io.Writer, v *view) error {
	doc, err := documentOf(v)
	if err != nil {
		return err
	}
	return spellPDF(w, doc, dateOf(v.runs))
}

// spellPDF writes a document to print.
func spellPDF(w io.Writer, doc *document, date time.Time) error {
	out := &pdf.Document{Title: doc.title, Subtitle: subtitle, Date: date, Facts: printed(doc.facts)}
	for _, b := range doc.blocks {
		switch b := b.(type) {
		case heading:
			out.Blocks = append(out.Blocks, pdf.Heading{Level: b.level, Text: b.text})
		case paragraph:
			out.Blocks = append(out.Blocks, pdf.Paragraph{Text: b.text, Warn: b.warn})
		case table:
			out.Blocks = append(out.Blocks, printed(b))
		case figureBlock:
			out.Blocks = append(out.Blocks, pdf.Chart{Figure: b.figure.Figure, Caption: b.caption()})
		case listing:
			out.Blocks = append(out.Blocks, pdf.Listing{Text: b.text})
		case panelBlock:
			for _, ref := range b.samples {
				s, err := shown(ref)
				if err != nil {
					return err
				}
				out.Blocks = append(out.Blocks, s)
			}
		}
	}
	return pdf.Write(w, out)
}

// printed is a table on paper: the best of a column bold, the second underlined.
func printed(t table) pdf.Table {
	out := pdf.Table{Title: t.title, Head: t.head, Words: t.words, Left: t.left,
		Notes: join(append(t.notes, t.marks()), " ")}
	for _, r := range t.rows {
		line := make([]pdf.Cell, len(r))
		for c, e := range r {
			line[c] = pdf.Cell{Text: e.text, Bold: e.rank == best, Underlined: e.rank == second}
		}
		out.Rows = append(out.Rows, line)
	}
	return out
}

// caption is what is said below a figure.
func (b figureBlock) caption() string {
	return join([]string{b.figure.Title + ".", b.figure.Note}, " ")
}
