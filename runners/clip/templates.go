package clip

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ovbench/runners/files"
)

// slot is the place of a name in a template.
const slot = "{}"

// Limits on a file of templates.
const (
	maxTemplateFile = 1 << 20 // bytes
	maxTemplates    = 1 << 10
)

//go:embed templates
var templateFiles embed.FS

// templateNames are the built-in sets, by number of templates:
//
//	none       the name alone
//	photo      "a photo of a {}."
//	openai7    the seven OpenAI chose from the 80 by forward selection on ImageNet
//	openai80   OpenAI's for ImageNet
//	surgery85  CLIP Surgery's: openai80 and five about a scene
var templateNames = []string{"none", "photo", "openai7", "openai80", "surgery85"}

// TemplateNames lists the built-in sets of templates.
func TemplateNames() []string { return append([]string(nil), templateNames...) }

// Templates is the set of prompt templates of that name, or in the file of that name: one template a line, or a JSON
// list of strings, each with one "{}" where a class name goes. Blank lines do not count. The order is the file's;
// duplicates stay, and weigh twice in an ensemble.
func Templates(name string) ([]string, error) {
	if name == "none" {
		return []string{slot}, nil
	}
	if name == "photo" {
		return []string{"a photo of a " + slot + "."}, nil
	}
	for _, known := range templateNames {
		if name == known {
			data, err := templateFiles.ReadFile("templates/" + name + ".txt")
			if err != nil {
				return nil, err
			}
			return parseTemplates(name, data)
		}
	}
	data, err := files.Read(name, maxTemplateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("templates %q are not known: they are %s, or a file with one template a line", name,
			strings.Join(templateNames, ", "))
	}
	if err != nil {
		return nil, err
	}
	return parseTemplates(name, data)
}

// Fill puts a class name into a template.
func Fill(template, name string) string { return strings.Replace(template, slot, name, 1) }

// parseTemplates reads lines or JSON; file is what errors name.
func parseTemplates(file string, data []byte) ([]string, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	place := "line"
	var lines []string
	if trimmed := bytes.TrimSpace(data); bytes.HasPrefix(trimmed, []byte("[")) {
		place = "template"
		if err := json.Unmarshal(trimmed, &lines); err != nil {
			return nil, fmt.Errorf("%s: not a JSON list of templates: %w", file, err)
		}
	} else {
		lines = strings.Split(string(data), "\n")
	}
	var templates []string
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" && place == "line" {
			continue
		}
		if n := strings.Count(line, slot); n != 1 {
			at := fmt.Sprintf("%s:%d", file, i+1)
			if place == "template" {
				at = fmt.Sprintf("%s: template %d", file, i+1)
			}
			return nil, fmt.Errorf("%s: %.60q has %d %s: write one, where the name goes", at, line, n, slot)
		}
		templates = append(templates, line)
	}
	if len(templates) == 0 {
		return nil, fmt.Errorf("%s: no templates: write one a line, such as \"a photo of a %s.\"", file, slot)
	}
	if len(templates) > maxTemplates {
		return nil, fmt.Errorf("%s: %d templates, the limit is %d", file, len(templates), maxTemplates)
	}
	return templates, nil
}
