#include <QTest>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Include {
    fs::path file;  ///< relative to the root of the sources
    int line = 0;
    std::string target;  ///< "tensor/dtype.h" or "QWidget"
    bool is_system = false;
};

const fs::path kRoot = ESPALIER_SOURCE_ROOT;

/// Module -> modules that it may include, from DEPENDS of the build.
std::map<std::string, std::set<std::string>> declared_modules() {
    std::map<std::string, std::set<std::string>> modules;
    std::ifstream file(ESPALIER_MODULES_FILE);
    std::string line;
    while (std::getline(file, line)) {
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        auto& allowed = modules[line.substr(0, colon)];
        std::istringstream words(line.substr(colon + 1));
        for (std::string word; words >> word;) allowed.insert(word);
    }
    return modules;
}

std::vector<Include> includes_of(const fs::path& file) {
    static const std::regex pattern("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
    std::vector<Include> found;
    std::ifstream stream(file);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
        std::smatch match;
        if (std::regex_search(line, match, pattern)) {
            found.push_back({fs::relative(file, kRoot), number, match[2], match[1] == "<"});
        }
    }
    return found;
}

std::vector<Include> includes_below(const char* folder) {
    std::vector<Include> all;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
        const auto extension = entry.path().extension();
        if (extension != ".h" && extension != ".cpp") continue;
        const auto some = includes_of(entry.path());
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

/// The n-th folder of a path: core/<module>/…
std::string part(const fs::path& path, int index) {
    auto position = path.begin();
    for (int i = 0; i < index && position != path.end(); ++i) ++position;
    return position == path.end() ? std::string() : position->string();
}

bool is_torch_header(const std::string& target) {
    return target.starts_with("torch/") || target.starts_with("ATen/") ||
           target.starts_with("c10/");
}

bool is_qt_header(const std::string& target) {
    return target.size() > 1 && target[0] == 'Q' &&
           std::isupper(static_cast<unsigned char>(target[1]));
}

std::string describe(const Include& include) {
    return include.file.string() + ":" + std::to_string(include.line) + " includes " +
           include.target;
}

/// "espalier::ExpertPlan" of every class that other files could name too.
std::vector<std::string> types_of(const fs::path& file) {
    static const std::regex space("^namespace ([A-Za-z_:]+) \\{");
    static const std::regex type("^(struct|class) ([A-Za-z_]+)( final)?( :.*)? \\{");
    std::vector<std::string> found;
    std::ifstream stream(file);
    std::string line;
    std::string name;
    bool is_hidden = false;
    while (std::getline(stream, line)) {
        std::smatch match;
        if (line == "namespace {") is_hidden = true;
        if (line == "}  // namespace") is_hidden = false;
        if (std::regex_search(line, match, space)) name = match[1].str() + "::";
        if (!is_hidden && std::regex_search(line, match, type)) {
            found.push_back(name + match[2].str());
        }
    }
    return found;
}

void report(const std::vector<std::string>& offences) {
    std::string text;
    for (const auto& offence : offences) text += "\n  " + offence;
    QVERIFY2(offences.empty(), text.c_str());
}

}  // namespace

class ArchitectureTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void build_declares_every_core_folder() {
        const auto modules = declared_modules();
        std::vector<std::string> offences;
        for (const auto& entry : fs::directory_iterator(kRoot / "core")) {
            const std::string name = entry.path().filename();
            if (entry.is_directory() && !modules.contains(name)) offences.push_back(name);
        }
        QVERIFY(modules.size() >= 15);
        report(offences);
    }

    void core_modules_include_only_their_dependencies() {
        const auto modules = declared_modules();
        std::vector<std::string> offences;
        for (const Include& include : includes_below("core")) {
            const std::string module = part(include.file, 1);
            const std::string target = part(include.target, 0);
            if (include.is_system || target == module || !modules.contains(module)) continue;
            if (!modules.at(module).contains(target)) offences.push_back(describe(include));
        }
        report(offences);
    }

    void dependencies_have_no_cycle() {
        // Declared dependencies must be a partial order: repeatedly take away modules without any.
        auto rest = declared_modules();
        for (bool progress = true; progress && !rest.empty();) {
            progress = false;
            for (auto it = rest.begin(); it != rest.end();) {
                const bool free =
                    std::none_of(it->second.begin(), it->second.end(),
                                 [&](const auto& name) { return rest.contains(name); });
                progress |= free;
                it = free ? rest.erase(it) : std::next(it);
            }
        }
        QVERIFY2(rest.empty(), rest.empty() ? "" : rest.begin()->first.c_str());
    }

    /// The linker keeps one of two classes of the same name, and calls its destructor for both.
    void no_two_files_of_core_define_one_name() {
        std::map<std::string, fs::path> places;
        std::vector<std::string> offences;
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / "core")) {
            const auto extension = entry.path().extension();
            if (extension != ".h" && extension != ".cpp") continue;
            for (const std::string& name : types_of(entry.path())) {
                const auto [first, is_new] = places.emplace(name, entry.path());
                if (is_new) continue;
                offences.push_back(name + " in " + fs::relative(entry.path(), kRoot).string() +
                                   " and " + fs::relative(first->second, kRoot).string());
            }
        }
        QVERIFY(places.size() > 200);
        report(offences);
    }

    void core_knows_no_qt_and_neither_ui_nor_app() {
        std::vector<std::string> offences;
        for (const Include& include : includes_below("core")) {
            const std::string target = part(include.target, 0);
            if (is_qt_header(include.target) || target == "ui" || target == "app") {
                offences.push_back(describe(include));
            }
        }
        report(offences);
    }

    void libtorch_stays_in_its_modules() {
        const std::set<std::string> torch_modules{"nn", "calib", "torch_services", "train"};
        std::vector<std::string> offences;
        for (const char* folder : {"core", "ui", "app"}) {
            for (const Include& include : includes_below(folder)) {
                const std::string module = part(include.file, 1);
                const bool in_header = include.file.extension() == ".h";
                const bool allowed = part(include.file, 0) == "core" &&
                                     torch_modules.contains(module) &&
                                     (!in_header || module == "nn");
                if (is_torch_header(include.target) && !allowed)
                    offences.push_back(describe(include));
            }
        }
        report(offences);
    }

    void ui_layers_point_one_way() {
        const std::map<std::string, std::set<std::string>> allowed{
            {"theme", {}},
            {"bridge", {}},
            {"models", {"theme", "bridge"}},
            {"charts", {"theme"}},
            {"widgets", {"theme", "models", "charts"}},
            {"pages", {"theme", "bridge", "models", "charts", "widgets"}},
        };
        std::vector<std::string> offences;
        for (const Include& include : includes_below("ui")) {
            if (include.is_system || !include.target.starts_with("ui/")) continue;
            const std::string from = part(include.file, 1);
            const std::string to = part(include.target, 1);
            if (!allowed.contains(from) || from == to || to.find('.') != std::string::npos)
                continue;
            if (!allowed.at(from).contains(to)) offences.push_back(describe(include));
        }
        report(offences);
    }

    void only_charts_draws_with_qt_charts() {
        std::vector<std::string> offences;
        const std::regex charts(
            "^(QtCharts/|Q(Chart|ChartView|LineSeries|BarSet|BarSeries|ValueAxis|LogValueAxis|"
            "BarCategoryAxis|ScatterSeries|AreaSeries|XYSeries)$)");
        for (const Include& include : includes_below("ui")) {
            if (part(include.file, 1) != "charts" && std::regex_search(include.target, charts)) {
                offences.push_back(describe(include));
            }
        }
        report(offences);
    }

    void pages_do_not_include_each_other() {
        std::vector<std::string> offences;
        for (const Include& include : includes_below("ui/pages")) {
            if (!include.target.starts_with("ui/pages/")) continue;
            // A page may be cut into files that share its first word: runs_page.cpp, runs_log.h.
            const auto word = [](const std::string& name) {
                return name.substr(0, name.find('_'));
            };
            if (word(include.file.filename()) != word(fs::path(include.target).filename())) {
                offences.push_back(describe(include));
            }
        }
        report(offences);
    }

    void functions_of_data_have_their_tests() {
        // Qt Test takes a slot that ends in "_data" for the rows of a test, and runs it for no
        // other reason.
        static const std::regex slot("^    void (\\w+)\\(\\)");
        const std::string suffix = "_data";
        std::vector<std::string> offences;
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests")) {
            if (entry.path().extension() != ".cpp") continue;
            std::set<std::string> names;
            std::ifstream file(entry.path());
            std::smatch match;
            for (std::string line; std::getline(file, line);) {
                if (std::regex_search(line, match, slot)) names.insert(match[1]);
            }
            for (const std::string& name : names) {
                if (!name.ends_with(suffix)) continue;
                if (names.contains(name.substr(0, name.size() - suffix.size()))) continue;
                offences.push_back(fs::relative(entry.path(), kRoot).string() + ": " + name);
            }
        }
        report(offences);
    }

    void program_sources_stay_readable() {
        std::vector<std::string> offences;
        for (const char* folder : {"core", "ui", "app"}) {
            for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
                const auto extension = entry.path().extension();
                if (extension != ".h" && extension != ".cpp") continue;
                std::ifstream file(entry.path());
                const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
                if (lines > 500) {
                    offences.push_back(fs::relative(entry.path(), kRoot).string() + ": " +
                                       std::to_string(lines));
                }
            }
        }
        report(offences);
    }
};

QTEST_APPLESS_MAIN(ArchitectureTest)
#include "tst_architecture.moc"
