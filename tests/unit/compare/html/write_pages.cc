// Writes the pages that the browser test opens: write_pages FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "compare/html/html.h"
#include "compare/html/page.h"
#include "html_fixture.h"

namespace {

bool Write(const std::filesystem::path& file, const std::string& page) {
  std::ofstream out(file, std::ios::binary);
  out << page;
  out.close();
  if (!out) std::fprintf(stderr, "cannot write %s\n", file.c_str());
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ringecho::compare;
  if (argc != 2) {
    std::fputs("usage: write_pages FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::string markup =
      "\"'><img src=x onerror=alert(1)></td></script><script>alert(2)</script><!--";
  const bool ok = Write(folder / "engines.html", ToHtml(EnginesFixture())) &&
                  Write(folder / "open-loop.html", ToHtml(OpenLoopFixture())) &&
                  Write(folder / "short.html", ToHtml(ShortRunsFixture(1, 2))) &&
                  Write(folder / "too-short.html", ToHtml(ShortRunsFixture(1, 4))) &&
                  Write(folder / "many.html", ToHtml(ManySidesFixture(1))) &&
                  Write(folder / "many-cells.html", ToHtml(ManySidesFixture(2))) &&
                  Write(folder / "hostile.html", ToHtml(HostileFixture(markup))) &&
                  Write(folder / "empty.html", ToHtml(Comparison())) &&
                  Write(folder / "tables.html", html::Page(EnginesFixture(), html::Embedded()));
  return ok ? 0 : 1;
}
