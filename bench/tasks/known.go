package tasks

import (
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/runners/methods"
)

// Known is what suites may name.
func Known() configs.Known {
	k := configs.Known{Methods: map[string][]string{}}
	for _, name := range methods.Names() {
		k.Methods[name] = methods.ParamNames(name)
	}
	for _, e := range datasets.All {
		k.Datasets = append(k.Datasets, e.Name)
	}
	return k
}
