# SPDX-License-Identifier: LGPL-2.1-or-later
# The tables of pool.sh out of its runs: one line a run, name=value pairs.

function better(workload) { # which figure of a run counts
    return workload == "W5" || workload == "W6" ? "wall" : "cpu"
}

{
    for (i = 1; i <= NF; i++) {
        split($i, pair, "=")
        field[pair[1]] = pair[2]
    }
    key = field["allocator"] SUBSEP field["workload"]
    for (i = 1; i <= NF; i++) {
        split($i, pair, "=")
        if (pair[1] != "allocator" && pair[1] != "workload") {
            values[key, pair[1]] = values[key, pair[1]] " " pair[2]
        }
    }
}

# Sorts text's numbers into sorted[]; returns how many there are.
function sort_numbers(text, sorted,    n, i, j, v) {
    n = split(text, sorted, " ")
    for (i = 2; i <= n; i++) {
        v = sorted[i] + 0
        for (j = i - 1; j >= 1 && sorted[j] + 0 > v; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = v
    }
    return n
}

function has(allocator, workload) { return (allocator, workload, better(workload)) in values }

# "median" or "minimum" of one figure of all rounds.
function figure(allocator, workload, name, which,    n, sorted) {
    n = sort_numbers(values[allocator, workload, name], sorted)
    if (which == "minimum")
        return sorted[1]
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function time_of(allocator, workload, which) { return figure(allocator, workload, better(workload), which) }

function cell(allocator, workload) {
    if (!has(allocator, workload))
        return "-"
    return sprintf("%.1f (%.1f)", time_of(allocator, workload, "median"), time_of(allocator, workload, "minimum"))
}

function is_untracked(allocator) { return allocator ~ /^(glibc|jemalloc|mimalloc|tcmalloc)$/ }

# The least time of the untracked allocators; its name is left in best_name.
function best_untracked(workload, which,    i, t, least) {
    least = 0
    for (i = 1; i <= allocator_count; i++) {
        if (!is_untracked(allocator_names[i]) || !has(allocator_names[i], workload))
            continue
        t = time_of(allocator_names[i], workload, which)
        if (!least || t < least) {
            least = t
            best_name = allocator_names[i]
        }
    }
    return least
}

function verdict(value, must, aim) { return value <= aim ? "aim met" : value <= must ? "must met" : "NOT MET" }

function bound(what, median, minimum, must, aim) {
    printf "%-58s %8.3f (%.3f)  must %-6g aim %-6g %s\n", what, median, minimum, must, aim, verdict(median, must, aim)
}

function ratio_to_glibc(workload, must, aim) {
    if (has("macro", workload) && has("glibc", workload))
        bound(workload " macro / glibc", time_of("macro", workload, "median") / time_of("glibc", workload, "median"),
              time_of("macro", workload, "minimum") / time_of("glibc", workload, "minimum"), must, aim)
}

function ratio_to_best(ours, workload, must, aim,    minimum, median) {
    minimum = best_untracked(workload, "minimum")
    median = best_untracked(workload, "median")
    if (has(ours, workload) && median)
        bound(workload " " ours " / best untracked (" best_name ")", time_of(ours, workload, "median") / median,
              time_of(ours, workload, "minimum") / minimum, must, aim)
}

function plain(what, allocator, workload, name, must, aim) {
    if ((allocator, workload, name) in values)
        bound(what, figure(allocator, workload, name, "median"), figure(allocator, workload, name, "minimum"), must, aim)
}

function added(what, allocator, workload, per, must, aim) {
    if (has(allocator, workload) && has("macro", workload))
        bound(what, (time_of(allocator, workload, "median") - time_of("macro", workload, "median")) / per,
              (time_of(allocator, workload, "minimum") - time_of("macro", workload, "minimum")) / per, must, aim)
}

# How many times as long a tool that watches malloc takes.
function factor(tool, clock, must, aim,    median, minimum) {
    if (!has(tool, "W2") || !has("macro", "W2"))
        return
    median = figure(tool, "W2", clock, "median") / figure("macro", "W2", clock, "median")
    minimum = figure(tool, "W2", clock, "minimum") / figure("macro", "W2", clock, "minimum")
    printf "%-58s %8.1f (%.1f)  must %-6g aim %-6g %s\n", "W2 " tool " / macro", median, minimum, must, aim,
        verdict(-median, -must, -aim)
}

END {
    allocator_count = split(allocators, allocator_names, " ")
    workload_count = split(workloads, workload_names, " ")
    printf "%-10s", ""
    for (w = 1; w <= workload_count; w++)
        printf " %16s", workload_names[w]
    print ""
    for (a = 1; a <= allocator_count; a++) {
        printf "%-10s", allocator_names[a]
        for (w = 1; w <= workload_count; w++)
            printf " %16s", cell(allocator_names[a], workload_names[w])
        if ((allocator_names[a], "W4", "resident_over") in values)
            printf "   W4 resident over payload %.2f B", figure(allocator_names[a], "W4", "resident_over", "median")
        if ((allocator_names[a], "W3", "resident") in values)
            printf "   W3 resident %.1f MB", figure(allocator_names[a], "W3", "resident", "median") / 1e6
        print ""
    }
    print ""
    ratio_to_glibc("W1", 0.34, 0.30)
    ratio_to_glibc("W2", 0.42, 0.38)
    ratio_to_best("macro", "W2", 0.62, 0.55)
    ratio_to_best("exported", "W2", 1.0, 0.85)
    ratio_to_best("macro", "W3", 1.0, 0.90)
    ratio_to_glibc("W4", 0.80, 0.70)
    plain("W4 macro, bytes over payload a block: resident", "macro", "W4", "resident_over", 12.5, 12)
    plain("W4 macro, bytes over payload a block: pages granted", "macro", "W4", "pages_over", 12.5, 12)
    ratio_to_best("macro", "W5", 0.60, 0.50)
    ratio_to_best("macro", "W6", 0.62, 0.55)
    plain("W4 grouped report, ms", "macro", "W4", "report_ms", 0.2, 0.1)
    plain("W4 visit of each block, ms", "macro", "W4", "walk_ms", 80, 20)
    added("W1 stacks kept, ns an allocation", "stacks", "W1", 1, 12, 8)
    added("W2 stacks kept, ns an allocation", "stacks", "W2", 6, 12, 8)
    if (has("special", "W1"))
        bound("W1 special pool, us a pair", time_of("special", "W1", "median") / 1e3,
              time_of("special", "W1", "minimum") / 1e3, 6, 5)
    factor("lsan", "cpu", 7, 9)
    factor("asan", "cpu", 45, 60)
    factor("heaptrack", "wall", 40, 55)
    factor("memcheck", "cpu", 200, 250)
}
