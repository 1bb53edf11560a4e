#include "server/mime/bodystructure.h"

#include <algorithm>

#include "server/mime/ascii.h"
#include "server/mime/envelope.h"
#include "server/mime/wire.h"

namespace twinspool::mime {
namespace {

constexpr std::string_view kEmptyTextPart =
    R"(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0)";

/// Walks the tree in order without recursion: Open on the way down, Close on the way up.
class Renderer {
 public:
  Renderer(const Structure& structure, std::string_view message, BodyForm form)
      : structure_(structure), message_(message), extended_(form == BodyForm::kBodyStructure) {}

  std::string Run() {
    PartIndex index = 0;
    for (;;) {
      const Part& part = structure_.at(index);
      Open(part);
      if (part.first_child != kNoPart) {
        index = part.first_child;
        continue;
      }
      index = CloseUpwards(index);
      if (index == kNoPart) {
        return out_.Take();
      }
    }
  }

 private:
  /// Closes the part and each parent that it was the last child of; the next part to open.
  PartIndex CloseUpwards(PartIndex index) {
    for (;;) {
      const Part& part = structure_.at(index);
      Close(part);
      if (part.parent == kNoPart || part.next_sibling != kNoPart) {
        return part.next_sibling;
      }
      index = part.parent;
    }
  }

  void Open(const Part& part) {
    out_.Raw("(");
    if (part.kind == PartKind::kMultipart) {
      return;
    }
    BasicFields(part);
    if (part.kind == PartKind::kMessage) {
      out_.Raw(" ");
      WriteEnvelope(structure_.at(part.first_child).header.Of(message_), &out_);
      out_.Raw(" ");
    }
  }

  void Close(const Part& part) {
    if (part.kind == PartKind::kMultipart) {
      CloseMultipart(part);
    } else {
      CloseSingle(part);
    }
    out_.Raw(")");
  }

  void CloseMultipart(const Part& part) {
    if (part.first_child == kNoPart) {
      out_.Raw(kEmptyTextPart);
      out_.Raw(extended_ ? " NIL NIL NIL NIL)" : ")");
    }
    out_.Raw(" ");
    out_.String(part.subtype.empty() ? "MIXED" : std::string_view(part.subtype));
    if (extended_) {
      out_.Raw(" ");
      Parameters(part.fields.parameters, false);
      Extension(part.fields);
    }
  }

  void CloseSingle(const Part& part) {
    if (part.kind == PartKind::kMessage || IsText(part)) {
      out_.Raw(" ");
      out_.Number(part.body_lines);
    }
    if (extended_) {
      out_.Raw(" ");
      out_.StringOrNil(part.fields.md5);
      Extension(part.fields);
    }
  }

  /// type subtype params id description encoding octets
  void BasicFields(const Part& part) {
    Types(part);
    out_.Raw(" ");
    Parameters(part.fields.parameters, IsText(part));
    out_.Raw(" ");
    out_.StringOrNil(part.fields.id);
    out_.Raw(" ");
    out_.StringOrNil(part.fields.description);
    out_.Raw(" ");
    out_.String(part.fields.encoding.empty() ? "7BIT" : std::string_view(part.fields.encoding));
    out_.Raw(" ");
    out_.Number(part.body.size());
  }

  /// The types that decide which fields follow are written even when the budget is gone.
  void Types(const Part& part) {
    if (part.kind == PartKind::kMessage) {
      out_.Raw("\"" + part.type + "\" \"" + part.subtype + "\"");
    } else if (IsText(part)) {
      out_.Raw("\"" + part.type + "\" ");
      out_.String(part.subtype);
    } else {
      out_.String(part.type);
      out_.Raw(" ");
      out_.String(part.subtype);
    }
  }

  /// disposition language location
  void Extension(const ContentFields& fields) {
    out_.Raw(" ");
    if (fields.disposition.empty()) {
      out_.Raw("NIL ");
    } else {
      out_.Raw("(");
      out_.String(fields.disposition);
      out_.Raw(" ");
      Parameters(fields.disposition_parameters, false);
      out_.Raw(") ");
    }
    Languages(fields.languages);
    out_.Raw(" ");
    out_.StringOrNil(fields.location);
  }

  void Parameters(const std::vector<Parameter>& written, bool add_charset) {
    const std::vector<Parameter> parameters = JoinContinuations(written);
    const bool has_charset =
        std::any_of(parameters.begin(), parameters.end(), [](const Parameter& p) {
          return EqualsIgnoreCase(p.name, "charset") || EqualsIgnoreCase(p.name, "charset*");
        });
    add_charset = add_charset && !has_charset;
    if ((parameters.empty() || !out_.HasRoom()) && !add_charset) {
      out_.Raw("NIL");
      return;
    }
    const char* separator = "(";
    for (const Parameter& parameter : parameters) {
      out_.Raw(separator);
      out_.String(parameter.name);
      out_.Raw(" ");
      out_.String(parameter.value);
      separator = " ";
    }
    if (add_charset) {
      out_.Raw(separator);
      out_.Raw(R"("CHARSET" "us-ascii")");
    }
    out_.Raw(")");
  }

  void Languages(const std::vector<std::string>& languages) {
    if (languages.empty()) {
      out_.Raw("NIL");
      return;
    }
    const char* separator = "(";
    for (const std::string& language : languages) {
      out_.Raw(separator);
      out_.String(language);
      separator = " ";
    }
    out_.Raw(")");
  }

  static bool IsText(const Part& part) { return EqualsIgnoreCase(part.type, "text"); }

  const Structure& structure_;
  const std::string_view message_;
  const bool extended_;
  WireWriter out_;
};

}  // namespace

std::string RenderBody(const Structure& structure, std::string_view message, BodyForm form) {
  return Renderer(structure, message, form).Run();
}

}  // namespace twinspool::mime
