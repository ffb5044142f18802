// Package report is what becomes of measured values: statistics, ratios, a table, plots, a JSON file. It measures nothing.
package report
