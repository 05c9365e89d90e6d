package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/labelmap"
)

// COCO-Stuff's label maps (github.com/nightrome/cocostuff): the pixel of stuffthingmaps is a category's id less one,
// 255 where nothing is labelled; things lie over stuff. Converters of mmsegmentation (labelTrainIds) and of GroupViT
// (instanceTrainIds) close the gaps of the numbering.

// cocoObjectTable maps stuffthingmaps to 0 for background, 1..80 for things.
func cocoObjectTable() *labelmap.Table {
	return cocoPixelTable(0, cocoLabels(1, cocoThings), nil)
}

// cocoStuffTable maps stuffthingmaps to 0..79 for things, 80..170 for stuff.
func cocoStuffTable() *labelmap.Table {
	return cocoPixelTable(labelmap.Ignore, cocoLabels(0, cocoThings), cocoLabels(len(cocoThings), cocoStuff))
}

// cocoPixelTable maps pixels id-1. Stuff that has no label is 0. The eleven ids that COCO never uses do not occur: a
// pixel that has one shows that the map was converted.
func cocoPixelTable(void uint16, things, stuff map[int64]uint16) *labelmap.Table {
	var t labelmap.Table
	for i := range t {
		t[i] = labelmap.Stray
	}
	for _, c := range cocoThings {
		t[c.id-1] = things[c.id]
	}
	for _, c := range cocoStuff {
		t[c.id-1] = stuff[c.id]
	}
	t[255] = void
	return &t
}

// cocoObjectTrainTable maps instanceTrainIds: 0 is background, void included.
func cocoObjectTrainTable() *labelmap.Table {
	t := labelmap.NewTable(1+len(cocoThings), 255, false)
	t[255] = labelmap.Stray
	return t
}

// cocoRaw is the form of stuffthingmaps as published.
func cocoRaw(table *labelmap.Table) cocoForm {
	return func(t cocoTree, info Info) (Dataset, error) {
		for _, sub := range []string{"stuffthingmaps/" + t.Split, "annotations/stuffthingmaps/" + t.Split,
			"annotations/" + t.Split} {
			if dir := t.file(sub); cocoHasMaps(dir, func(stem string) bool { return !strings.HasSuffix(stem, "TrainIds") }) {
				info.Notes = append(info.Notes, "labels are the stuffthingmaps in "+sub)
				return newCOCOMaps(t, info, dir, "", table)
			}
		}
		return nil, nil
	}
}

// cocoConverted is the form of the label maps that converters write, told by the suffix of their names.
func cocoConverted(suffix string, table *labelmap.Table) cocoForm {
	return func(t cocoTree, info Info) (Dataset, error) {
		sub := "annotations/" + t.Split
		if dir := t.file(sub); cocoHasMaps(dir, func(stem string) bool { return strings.HasSuffix(stem, suffix) }) {
			info.Notes = append(info.Notes, "labels are the converted maps "+sub+"/*"+suffix+".png")
			return newCOCOMaps(t, info, dir, suffix, table)
		}
		return nil, nil
	}
}

// cocoHasMaps says whether a directory has a PNG of which is says that it belongs to the form.
func cocoHasMaps(dir string, is func(stem string) bool) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return filepath.Ext(e.Name()) == ".png" && is(stem(e.Name()))
	})
}

func newCOCOMaps(t cocoTree, info Info, labels, suffix string, table *labelmap.Table) (Dataset, error) {
	ids, names, err := t.listPictures()
	if err != nil {
		return nil, err
	}
	d := newOnDisk(t.Options, info, ids)
	d.files = func(i int) (string, string) {
		return filepath.Join(t.pictures, names[ids[i]]), filepath.Join(labels, ids[i]+suffix+".png")
	}
	d.truth = labelTruth(labelmap.Read, table.Apply)
	return d, nil
}
