package records

import (
	"encoding/json"
	"io"
	"path"
	"path/filepath"
	"strings"

	"ovbench/reports/results"
	"ovbench/runners/files"
)

// PanelDir is the folder of a sample's panel below that of its run. Names from suites and data sets are made harmless.
func PanelDir(dataset, id string) string { return path.Join("panels", Clean(dataset), Clean(id)) }

// Clean turns a name into one path element.
func Clean(name string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(s, ".") == "" {
		return "_" + s
	}
	return s
}

// PanelFile describes a panel. It is written last: where it is, the panel is whole.
const PanelFile = "panel.json"

// WholePanels are those of list that lie complete in a run folder.
func WholePanels(dir string, list []results.Panel) []results.Panel {
	var out []results.Panel
	for _, p := range list {
		f, err := files.Open(filepath.Join(dir, filepath.FromSlash(path.Join(PanelDir(p.Dataset, p.ID), PanelFile))))
		if err != nil {
			continue
		}
		var panel results.Panel
		if json.NewDecoder(io.LimitReader(f, maxRecord)).Decode(&panel) == nil && panel.Dataset == p.Dataset &&
			panel.ID == p.ID {
			out = append(out, panel)
		}
		f.Close()
	}
	return out
}
